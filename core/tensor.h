// Tensor: a cheap value handle on shared storage, with an optional place in the autograd graph.
//
// Copying a Tensor copies the handle; the elements are shared. Images and activations are (N, H, W,
// C), row-major and contiguous. Differentiable operations are free functions (autograd/ops.h); the
// members here do bookkeeping and plain data movement. Members that return new data refuse a tensor
// that carries gradients, so that no gradient is ever lost silently: write x.detach().clone(), or
// use the differentiable function of the same name.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/pool.h"
#include "core/storage.h"
#include "core/view.h"

namespace ditto {

class Autograd;  // declared here, defined in autograd/function.h

class Tensor {
 public:
  // An undefined tensor: no storage, no shape. Stands for "no bias", "no gradient".
  Tensor() = default;

  // New tensors. `empty` leaves the elements uninitialised.
  static Tensor empty(const Shape& shape, Dtype dtype = Dtype::F32, Device device = kCpu);
  // Uninitialised, on the CPU, in memory that copies to and from a CUDA device run from in the
  // background.
  static Tensor empty_pinned(const Shape& shape, Dtype dtype = Dtype::F32);
  static Tensor zeros(const Shape& shape, Dtype dtype = Dtype::F32, Device device = kCpu);
  static Tensor ones(const Shape& shape, Dtype dtype = Dtype::F32, Device device = kCpu);
  static Tensor full(const Shape& shape, double value, Dtype dtype = Dtype::F32,
                     Device device = kCpu);
  // Zero-dimensional tensor holding `value`.
  static Tensor scalar(double value, Dtype dtype = Dtype::F32, Device device = kCpu);
  // 0, 1, ..., n-1.
  static Tensor arange(int64_t n, Dtype dtype = Dtype::I64);
  // Copies `values` (row-major) into a new tensor of `shape`, stored as `dtype` (default: T's own).
  template <class T>
  static Tensor from(std::span<const T> values, const Shape& shape, Dtype dtype = dtype_of<T>);
  template <class T>
  static Tensor from(const std::vector<T>& values, const Shape& shape, Dtype dtype = dtype_of<T>) {
    return from(std::span<const T>(values), shape, dtype);
  }

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  const Shape& strides() const { return strides_; }
  int rank() const { return shape_.rank(); }
  int64_t dim(int i) const { return shape_.dim(i); }
  int64_t numel() const { return shape_.numel(); }
  Dtype dtype() const { return dtype_; }
  Device device() const { return defined() ? storage_->device() : kCpu; }
  bool is_contiguous() const { return view().is_contiguous(); }
  const std::shared_ptr<Storage>& storage() const { return storage_; }

  // Pointer to the first element; throws when T is not the dtype or the tensor is not contiguous or
  // not on the CPU.
  template <class T>
  T* data() const;
  View view() const;
  // The one element, as double.
  double item() const;
  // All elements, row-major, converted to T.
  template <class T>
  std::vector<T> to_vector() const;

  // The same elements under another shape, strides and offset (elements from the storage's start);
  // untracked.
  Tensor alias(const Shape& shape, const Shape& strides, int64_t offset) const;
  int64_t offset() const { return offset_; }
  // The same elements without a place in the autograd graph.
  Tensor detach() const;

  // New data (or this tensor itself when nothing needs to change: contiguous, to). Refuse tracked
  // tensors.
  Tensor clone() const;
  Tensor contiguous() const;
  Tensor to(Dtype dtype) const;
  Tensor to(Device device) const;

  // In-place writes; they advance the storage's version. The output of a recorded operation refuses
  // them.
  Tensor& fill_(double value);
  Tensor& copy_(const Tensor& source);  // same shape; converts dtype

  // Autograd. Defined in autograd/engine.cpp.
  bool requires_grad() const;
  Tensor& set_requires_grad(bool on);  // leaves only
  Tensor grad() const;                 // undefined when there is none yet
  void set_grad(const Tensor& grad) const;
  void zero_grad() const;  // drops the gradient
  // Accumulates d(this)/d(leaf) * grad into every leaf; without `grad`, this must have one element
  // and grad is 1.
  void backward() const;
  void backward(const Tensor& grad, bool retain_graph = false) const;

  const std::shared_ptr<Autograd>& autograd() const { return autograd_; }
  // `leaf`: false for the output of a recorded operation, which then refuses in-place writes.
  void set_autograd(std::shared_ptr<Autograd> autograd, bool leaf) {
    autograd_ = std::move(autograd);
    leaf_ = leaf;
  }

 private:
  static Tensor allocate(const Shape& shape, Dtype dtype, Device device, HostMemory memory);
  void refuse_tracked(const char* member) const;
  void refuse_in_place(const char* member) const;

  std::shared_ptr<Storage> storage_;
  std::shared_ptr<Autograd> autograd_;
  Shape shape_;
  Shape strides_;
  int64_t offset_ = 0;
  Dtype dtype_ = Dtype::F32;
  bool leaf_ = true;
};

using Tensors = PoolVector<Tensor>;

template <class T>
T* Tensor::data() const {
  check(defined(), "[data] the tensor is undefined");
  check(device().is_cpu(), "[data] the tensor is on", device());
  check(is_contiguous(), "[data] the tensor is not contiguous:", shape_, "strides", strides_);
  return view().as<T>();
}

template <class T>
Tensor Tensor::from(std::span<const T> values, const Shape& shape, Dtype dtype) {
  check(static_cast<int64_t>(values.size()) == shape.numel(), "[from] got", values.size(),
        "values for shape", shape);
  Tensor out = empty(shape, dtype);
  View source = out.view();
  source.data = const_cast<T*>(values.data());
  source.dtype = dtype_of<T>;
  copy_view(source, out.view());
  return out;
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  check(defined(), "[to_vector] the tensor is undefined");
  std::vector<T> values(static_cast<size_t>(numel()));
  View target = view();
  target.data = values.data();
  target.dtype = dtype_of<T>;
  target.device = kCpu;
  target.strides = contiguous_strides(shape_);
  copy_view(view(), target);
  return values;
}

// "f32 (2, 3) cpu"
std::string to_string(const Tensor& tensor);

}  // namespace ditto
