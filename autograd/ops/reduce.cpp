#include "autograd/ops/reduce.h"

#include "autograd/apply.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/shape_ops.h"
#include "core/on_device.h"
#include "kernels/elementwise.h"
#include "kernels/reduce.h"

namespace ditto {
namespace {

kernels::ReduceSizes sizes_along(const Shape& shape, int dim) {
  kernels::ReduceSizes sizes;
  for (int i = 0; i < shape.rank(); ++i)
    (i < dim ? sizes.outer : i == dim ? sizes.reduce : sizes.inner) *= shape[i];
  return sizes;
}

Shape reduced_shape(Shape shape, int dim, bool keepdim) {
  if (keepdim)
    shape[dim] = 1;
  else
    shape.erase(dim);
  return shape;
}

// Repeats dy along the reduced dimension of `shape`.
Tensor spread(const Tensor& dy, const Shape& shape, int dim, double factor) {
  Tensor dx = Tensor::empty(shape, dy.dtype(), dy.device());
  Tensor scaled = dy.contiguous();
  if (factor != 1) {
    scaled = Tensor::empty(dy.shape(), dy.dtype(), dy.device());
    on_device(dy.device(), [&](auto& ctx) {
      kernels::scale(ctx, dy.contiguous().view(), factor, scaled.view());
    });
  }
  View source = scaled.view();
  source.shape = shape;
  source.strides = contiguous_strides(reduced_shape(shape, dim, true));
  source.strides[dim] = 0;
  on_device(dy.device(), [&](auto& ctx) { kernels::copy(ctx, source, dx.view()); });
  return dx;
}

}  // namespace

// y = factor * sum of x along dim.
class SumFunction final : public Function {
 public:
  SumFunction(int dim, bool keepdim, bool mean) : dim_(dim), keepdim_(keepdim), mean_(mean) {}
  const char* name() const override { return mean_ ? "mean" : "sum"; }

  Tensor forward(const Tensors& inputs) {
    check_floating(name(), inputs[0]);
    const Tensor x = inputs[0].contiguous();
    shape_ = x.shape();
    dim_ = shape_.normalize_dim(dim_, name());
    if (mean_) {
      check(shape_[dim_] > 0, "[mean] of nothing: shape", shape_);
      factor_ = 1.0 / static_cast<double>(shape_[dim_]);
    }
    Tensor y = Tensor::empty(reduced_shape(shape_, dim_, keepdim_), x.dtype(), x.device());
    on_device(x.device(), [&](auto& ctx) {
      kernels::reduce_sum(ctx, x.view(), y.view(), sizes_along(shape_, dim_), factor_);
    });
    return y;
  }

  Tensors backward(const Tensors& grads) override {
    return {spread(grads[0], shape_, dim_, factor_)};
  }
  void release() override {}

 private:
  int dim_;
  bool keepdim_, mean_;
  double factor_ = 1;
  Shape shape_;
};

class MaxFunction final : public Function {
 public:
  MaxFunction(int dim, bool keepdim) : dim_(dim), keepdim_(keepdim) {}
  const char* name() const override { return "max"; }

  Tensors forward(const Tensors& inputs) {
    check_floating("max", inputs[0]);
    const Tensor x = inputs[0].contiguous();
    shape_ = x.shape();
    dim_ = shape_.normalize_dim(dim_, name());
    const Shape out = reduced_shape(shape_, dim_, keepdim_);
    Tensor y = Tensor::empty(out, x.dtype(), x.device());
    Tensor index = Tensor::empty(out, Dtype::I64, x.device());
    on_device(x.device(), [&](auto& ctx) {
      kernels::reduce_max(ctx, x.view(), y.view(), index.view(), sizes_along(shape_, dim_));
    });
    index_ = Saved(index);
    return {y, index};
  }

  Tensors backward(const Tensors& grads) override {
    const Tensor dy = grads[0].contiguous(), index = index_.get("max");
    Tensor dx = Tensor::empty(shape_, dy.dtype(), dy.device());
    on_device(dy.device(), [&](auto& ctx) {
      kernels::reduce_max_backward(ctx, dy.view(), index.view(), dx.view(),
                                   sizes_along(shape_, dim_));
    });
    return {dx};
  }
  void release() override { index_.clear(); }

 private:
  int dim_;
  bool keepdim_;
  Shape shape_;
  Saved index_;
};

static Tensor flat(const Tensor& x) { return reshape(x, {x.numel()}); }

Tensor sum(const Tensor& x, int dim, bool keepdim) {
  check_floating("sum", x);
  return apply<SumFunction>({x}, dim, keepdim, false);
}
Tensor mean(const Tensor& x, int dim, bool keepdim) {
  check_floating("mean", x);
  return apply<SumFunction>({x}, dim, keepdim, true);
}
Tensor sum(const Tensor& x) {
  check_floating("sum", x);
  return sum(flat(x), 0);
}
Tensor mean(const Tensor& x) {
  check_floating("mean", x);
  return mean(flat(x), 0);
}

MaxResult max(const Tensor& x, int dim, bool keepdim) {
  const Tensors out = apply<MaxFunction>({x}, dim, keepdim);
  return {out[0], out[1]};
}
Tensor argmax(const Tensor& x, int dim, bool keepdim) {
  NoGrad guard;
  return max(x, dim, keepdim).indices;
}

}  // namespace ditto
