#include "core/tensor.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#ifdef DITTO_HAS_CUDA
#include "core/cuda_copy.h"
#include "core/on_device.h"
#endif

namespace ditto {

namespace {

// Bytes of a tensor of that shape; throws when there is no such number.
int64_t checked_bytes(const Shape& shape, Dtype dtype) {
  int64_t bytes = size_of(dtype);
  bool is_empty = false;
  for (int64_t size : shape) {
    check(size >= 0, "[empty] negative size in shape", shape);
    is_empty |= size == 0;
    // Zeros count as ones: the strides of (0, 2^62, 4) must not overflow either.
    check(!__builtin_mul_overflow(bytes, std::max<int64_t>(size, 1), &bytes),
          "[empty] shape is too large:", shape);
  }
  return is_empty ? 0 : bytes;
}

}  // namespace

Tensor Tensor::allocate(const Shape& shape, Dtype dtype, Device device, HostMemory memory) {
  const int64_t bytes = checked_bytes(shape, dtype);
  Tensor out;
  out.storage_ = make_pooled<Storage>(bytes, device, memory);
  out.shape_ = shape;
  out.strides_ = contiguous_strides(shape);
  out.dtype_ = dtype;
  return out;
}

Tensor Tensor::empty(const Shape& shape, Dtype dtype, Device device) {
  return allocate(shape, dtype, device, HostMemory::Plain);
}
Tensor Tensor::empty_pinned(const Shape& shape, Dtype dtype) {
  return allocate(shape, dtype, kCpu, HostMemory::Pinned);
}
Tensor Tensor::zeros(const Shape& shape, Dtype dtype, Device device) {
  return full(shape, 0.0, dtype, device);
}
Tensor Tensor::ones(const Shape& shape, Dtype dtype, Device device) {
  return full(shape, 1.0, dtype, device);
}
Tensor Tensor::full(const Shape& shape, double value, Dtype dtype, Device device) {
  Tensor out = empty(shape, dtype, device);
  out.fill_(value);
  return out;
}
Tensor Tensor::scalar(double value, Dtype dtype, Device device) {
  return full({}, value, dtype, device);
}

Tensor Tensor::arange(int64_t n, Dtype dtype) {
  std::vector<int64_t> values(static_cast<size_t>(std::max<int64_t>(n, 0)));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int64_t>(i);
  return from(values, {static_cast<int64_t>(values.size())}, dtype);
}

View Tensor::view() const {
  if (!defined()) return {};
  return {static_cast<char*>(storage_->data()) + offset_ * size_of(dtype_), dtype_, device(),
          shape_, strides_};
}

double Tensor::item() const {
  check(defined() && numel() == 1, "[item] needs a tensor with one element, got", *this);
  double value = 0;
  View target = view();
  target.data = &value;
  target.dtype = Dtype::F64;
  target.device = kCpu;
  copy_view(view(), target);
  return value;
}

Tensor Tensor::alias(const Shape& shape, const Shape& strides, int64_t offset) const {
  check(defined(), "[alias] the tensor is undefined");
  check(shape.rank() == strides.rank(), "[alias] shape and strides differ in rank:", shape,
        strides);
  // In elements of this dtype; overflow means outside, too.
  int64_t lowest = offset, highest = offset, span = 0, count = 1;
  const int64_t limit = storage_->bytes() / size_of(dtype_);
  bool inside = offset >= 0 && offset <= limit;
  for (int i = 0; i < shape.rank(); ++i) {
    check(shape[i] >= 0, "[alias] negative size in shape", shape);
    int64_t& bound = strides[i] < 0 ? lowest : highest;
    inside &= !__builtin_mul_overflow(strides[i], std::max<int64_t>(shape[i] - 1, 0), &span) &&
              !__builtin_add_overflow(bound, span, &bound) &&
              !__builtin_mul_overflow(count, std::max<int64_t>(shape[i], 1), &count);
  }
  const bool is_empty = std::ranges::find(shape, 0) != shape.end();
  check(inside && (is_empty || (lowest >= 0 && highest < limit)),
        "[alias] reaches outside the storage: shape", shape, "strides", strides, "offset", offset);
  Tensor out = *this;
  out.autograd_ = nullptr;
  out.shape_ = shape;
  out.strides_ = strides;
  out.offset_ = offset;
  return out;
}

Tensor Tensor::detach() const {
  Tensor out = *this;
  out.autograd_ = nullptr;
  return out;
}

void Tensor::refuse_tracked(const char* member) const {
  if (autograd_)
    fail(std::string("[") + member +
             "] the tensor carries gradients; use the differentiable function or .detach():",
         *this);
}

void Tensor::refuse_in_place(const char* member) const {
  if (!defined()) fail(std::string("[") + member + "] the tensor is undefined");
  if (autograd_ && !leaf_)
    fail(std::string("[") + member + "] the tensor is the output of a recorded operation:", *this);
}

Tensor Tensor::clone() const {
  refuse_tracked("clone");
  if (!defined()) return {};
  Tensor out = empty(shape_, dtype_, device());
  out.copy_(*this);
  return out;
}

Tensor Tensor::contiguous() const { return !defined() || is_contiguous() ? *this : clone(); }

Tensor Tensor::to(Dtype dtype) const {
  if (!defined() || dtype == dtype_) return *this;
  refuse_tracked("to");
  Tensor out = empty(shape_, dtype, device());
  out.copy_(*this);
  return out;
}

Tensor Tensor::to(Device target) const {
  if (!defined() || target == device()) return *this;
  refuse_tracked("to");
  Tensor out = empty(shape_, dtype_, target);
  out.copy_(*this);
  return out;
}

Tensor& Tensor::fill_(double value) {
  refuse_in_place("fill_");
#ifdef DITTO_HAS_CUDA
  if (device().is_cuda()) {
    fill_on_device(cuda_context(device().index), value, view());
    storage_->bump_version();
    return *this;
  }
#endif
  View source = view();
  source.data = &value;
  source.dtype = Dtype::F64;
  source.strides = Shape::filled(rank(), 0);
  if (value == 0 && !std::signbit(value) && is_contiguous())
    std::memset(view().data, 0, static_cast<size_t>(numel() * size_of(dtype_)));
  else
    copy_view(source, view());
  storage_->bump_version();
  return *this;
}

Tensor& Tensor::copy_(const Tensor& source) {
  refuse_in_place("copy_");
  check(source.defined(), "[copy_] the source is undefined");
  copy_view(source.view(), view());
  storage_->bump_version();
  return *this;
}

std::string to_string(const Tensor& tensor) {
  if (!tensor.defined()) return "undefined";
  return to_string(tensor.dtype()) + " " + to_string(tensor.shape()) + " " +
         to_string(tensor.device());
}

}  // namespace ditto
