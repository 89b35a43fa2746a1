#include "autograd/ops/shape_ops.h"

#include <algorithm>

#include "autograd/apply.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "core/on_device.h"
#include "kernels/elementwise.h"

namespace ditto {
namespace {

void copy_into(const Tensor& from, const Tensor& to) {
  on_device(to.device(), [&](auto& ctx) { kernels::copy(ctx, from.view(), to.view()); });
}

Tensor with_shape(const Tensor& x, const Shape& shape) {
  return x.alias(shape, contiguous_strides(shape), x.offset());
}

// The part of x that starts at `begin` along dim and has `size` elements `step` apart.
Tensor window(const Tensor& x, int dim, int64_t begin, int64_t size, int64_t step = 1) {
  Shape shape = x.shape(), strides = x.strides();
  const int64_t offset = x.offset() + begin * strides[dim];
  shape[dim] = size;
  strides[dim] *= step;
  return x.alias(shape, strides, shape.numel() > 0 ? offset : x.offset());
}

}  // namespace

class ReshapeFunction final : public Function {
 public:
  explicit ReshapeFunction(const Shape& shape) : shape_(shape) {}
  const char* name() const override { return "reshape"; }
  Tensor forward(const Tensors& inputs) {
    from_ = inputs[0].shape();
    return with_shape(inputs[0].contiguous(), shape_);
  }
  Tensors backward(const Tensors& grads) override {
    return {with_shape(grads[0].contiguous(), from_)};
  }
  void release() override {}

 private:
  Shape shape_, from_;
};

Tensor reshape(const Tensor& x, Shape shape) {
  check_defined("reshape", x);
  const Shape asked = shape;
  int64_t known = 1;
  int open = -1;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] == -1 && open < 0)
      open = i;
    else
      known *= shape[i];
    check(shape[i] >= -1 && (shape[i] != -1 || open == i), "[reshape] bad shape", shape);
  }
  if (open >= 0 && known > 0) shape[open] = x.numel() / known;
  check(shape.numel() == x.numel(), "[reshape] cannot see", x.shape(), "as", asked);
  return x.shape() == shape ? x : apply<ReshapeFunction>({x}, shape);
}

Tensor flatten(const Tensor& x, int start_dim) {
  check_defined("flatten", x);
  Shape shape;
  int64_t rest = 1;
  start_dim = x.shape().normalize_dim(start_dim, "flatten");
  for (int i = 0; i < x.rank(); ++i)
    if (i < start_dim)
      shape.push_back(x.shape()[i]);
    else
      rest *= x.shape()[i];
  shape.push_back(rest);
  return reshape(x, shape);
}

class PermuteFunction final : public Function {
 public:
  explicit PermuteFunction(const Shape& order) : order_(order) {}
  const char* name() const override { return "permute"; }
  Tensor forward(const Tensors& inputs) { return permuted(inputs[0], order_); }
  Tensors backward(const Tensors& grads) override {
    Shape inverse = order_;
    for (int i = 0; i < order_.rank(); ++i) inverse[static_cast<int>(order_[i])] = i;
    return {permuted(grads[0], inverse)};
  }
  void release() override {}

 private:
  static Tensor permuted(const Tensor& x, const Shape& order) {
    Shape shape = order, strides = order;
    for (int i = 0; i < order.rank(); ++i) {
      shape[i] = x.shape()[static_cast<int>(order[i])];
      strides[i] = x.strides()[static_cast<int>(order[i])];
    }
    return x.alias(shape, strides, x.offset()).contiguous();
  }
  Shape order_;
};

Tensor permute(const Tensor& x, const Shape& order) {
  check_defined("permute", x);
  check(order.rank() == x.rank(), "[permute] order", order, "does not fit shape", x.shape());
  Shape seen = Shape::filled(x.rank(), 0);
  for (int64_t d : order) {
    check(d >= 0 && d < x.rank() && seen[static_cast<int>(d)]++ == 0,
          "[permute] not a permutation:", order);
  }
  return apply<PermuteFunction>({x}, order);
}

Tensor transpose(const Tensor& x, int a, int b) {
  check_defined("transpose", x);
  Shape order;
  for (int i = 0; i < x.rank(); ++i) order.push_back(i);
  std::swap(order[x.shape().normalize_dim(a, "transpose")],
            order[x.shape().normalize_dim(b, "transpose")]);
  return permute(x, order);
}

class SliceFunction final : public Function {
 public:
  SliceFunction(int dim, int64_t begin, int64_t size, int64_t step)
      : dim_(dim), begin_(begin), size_(size), step_(step) {}
  const char* name() const override { return "slice"; }
  Tensor forward(const Tensors& inputs) {
    from_ = inputs[0].shape();
    return window(inputs[0], dim_, begin_, size_, step_).contiguous();
  }
  Tensors backward(const Tensors& grads) override {
    Tensor dx = Tensor::zeros(from_, grads[0].dtype(), grads[0].device());
    copy_into(grads[0], window(dx, dim_, begin_, size_, step_));
    return {dx};
  }
  void release() override {}

 private:
  int dim_;
  int64_t begin_, size_, step_;
  Shape from_;
};

Tensor slice(const Tensor& x, int dim, int64_t begin, int64_t end, int64_t step) {
  check_defined("slice", x);
  check(step >= 1, "[slice] step must be at least 1, got", step);
  dim = x.shape().normalize_dim(dim, "slice");
  const int64_t n = x.shape()[dim];
  const auto clamped = [n](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + n : i, 0, n); };
  begin = clamped(begin);
  end = std::max(begin, clamped(end));
  return apply<SliceFunction>({x}, dim, begin, (end - begin + step - 1) / step, step);
}

class ConcatFunction final : public Function {
 public:
  explicit ConcatFunction(int dim) : dim_(dim) {}
  const char* name() const override { return "concat"; }
  Tensor forward(const Tensors& inputs) {
    Shape shape = inputs[0].shape();
    shape[dim_] = 0;
    for (const Tensor& input : inputs) shape[dim_] += input.shape()[dim_];
    Tensor y = Tensor::empty(shape, inputs[0].dtype(), inputs[0].device());
    int64_t begin = 0;
    for (const Tensor& input : inputs) {
      const int64_t size = input.shape()[dim_];
      copy_into(input, window(y, dim_, begin, size));
      sizes_.push_back(size);
      begin += size;
    }
    return y;
  }
  Tensors backward(const Tensors& grads) override {
    Tensors out;
    int64_t begin = 0;
    for (size_t i = 0; i < sizes_.size(); ++i) {
      out.push_back(needs_grad(static_cast<int>(i))
                        ? window(grads[0], dim_, begin, sizes_[i]).contiguous()
                        : Tensor());
      begin += sizes_[i];
    }
    return out;
  }
  void release() override {}

 private:
  int dim_;
  PoolVector<int64_t> sizes_;
};

Tensor concat(const Tensors& tensors, int dim) {
  check(!tensors.empty(), "[concat] needs at least one tensor");
  for (const Tensor& x : tensors) check_defined("concat", x);
  const Tensor& first = tensors[0];
  dim = first.shape().normalize_dim(dim, "concat");
  for (const Tensor& x : tensors) {
    Shape shape = x.shape();
    if (shape.rank() == first.rank()) shape[dim] = first.shape()[dim];
    check(shape == first.shape(), "[concat] shapes do not fit along dimension", dim, ":",
          first.shape(), "and", x.shape());
    check(x.dtype() == first.dtype() && x.device() == first.device(),
          "[concat] dtypes or devices differ:", first, "and", x);
  }
  return apply<ConcatFunction>(tensors, dim);
}

class PadFunction final : public Function {
 public:
  PadFunction(const Shape& before, const Shape& after, double value)
      : before_(before), after_(after), value_(value) {}
  const char* name() const override { return "pad"; }
  Tensor forward(const Tensors& inputs) {
    from_ = inputs[0].shape();
    Shape shape = from_;
    for (int i = 0; i < shape.rank(); ++i) shape[i] += before_[i] + after_[i];
    Tensor y = Tensor::full(shape, value_, inputs[0].dtype(), inputs[0].device());
    copy_into(inputs[0], inner(y));
    return y;
  }
  Tensors backward(const Tensors& grads) override { return {inner(grads[0]).contiguous()}; }
  void release() override {}

 private:
  Tensor inner(const Tensor& y) const {
    int64_t offset = y.offset();
    for (int i = 0; i < from_.rank(); ++i) offset += before_[i] * y.strides()[i];
    return y.alias(from_, y.strides(), from_.numel() > 0 ? offset : y.offset());
  }
  Shape before_, after_, from_;
  double value_;
};

Tensor pad(const Tensor& x, const Shape& before, const Shape& after, double value) {
  check_defined("pad", x);
  check(before.rank() == x.rank() && after.rank() == x.rank(),
        "[pad] needs one entry per dimension of", x.shape(), ", got", before, "and", after);
  for (int i = 0; i < x.rank(); ++i)
    check(before[i] >= 0 && after[i] >= 0, "[pad] negative padding:", before, after);
  return apply<PadFunction>({x}, before, after, value);
}

class BroadcastFunction final : public Function {
 public:
  explicit BroadcastFunction(const Shape& shape) : shape_(shape) {}
  const char* name() const override { return "broadcast_to"; }
  Tensor forward(const Tensors& inputs) {
    const Tensor& x = inputs[0];
    from_ = x.shape();
    Shape strides = Shape::filled(shape_.rank(), 0);
    const int shift = shape_.rank() - x.rank();
    for (int i = 0; i < x.rank(); ++i)
      if (x.shape()[i] != 1) strides[i + shift] = x.strides()[i];
    Tensor y = Tensor::empty(shape_, x.dtype(), x.device());
    if (y.numel() > 0) copy_into(x.alias(shape_, strides, x.offset()), y);
    return y;
  }
  Tensors backward(const Tensors& grads) override { return {sum_to(grads[0], from_)}; }
  void release() override {}

 private:
  Shape shape_, from_;
};

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  check_defined("broadcast_to", x);
  check(broadcast_shapes(x.shape(), shape, "broadcast_to") == shape, "[broadcast_to] cannot see",
        x.shape(), "as", shape);
  return x.shape() == shape ? x : apply<BroadcastFunction>({x}, shape);
}

class CastFunction final : public Function {
 public:
  explicit CastFunction(Dtype dtype) : dtype_(dtype) {}
  const char* name() const override { return "cast"; }
  Tensor forward(const Tensors& inputs) {
    from_ = inputs[0].dtype();
    Tensor y = Tensor::empty(inputs[0].shape(), dtype_, inputs[0].device());
    copy_into(inputs[0], y);
    return y;
  }
  Tensors backward(const Tensors& grads) override {
    Tensor dx = Tensor::empty(grads[0].shape(), from_, grads[0].device());
    copy_into(grads[0], dx);
    return {dx};
  }
  void release() override {}

 private:
  Dtype dtype_, from_ = Dtype::F32;
};

Tensor clone(const Tensor& x) {
  check_defined("clone", x);
  return apply<CastFunction>({x}, x.dtype());
}
Tensor contiguous(const Tensor& x) {
  check_defined("contiguous", x);
  return x.is_contiguous() ? x : clone(x);
}
Tensor cast(const Tensor& x, Dtype dtype) {
  check_defined("cast", x);
  check(is_floating(dtype) || !grad_enabled() || !x.requires_grad(),
        "[cast] no gradient flows through", dtype, "; use x.detach()");
  return x.dtype() == dtype ? x : apply<CastFunction>({x}, dtype);
}

}  // namespace ditto
