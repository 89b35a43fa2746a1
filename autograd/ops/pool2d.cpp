#include "autograd/ops/pool2d.h"

#include "autograd/apply.h"
#include "autograd/ops/checks.h"
#include "core/on_device.h"

namespace ditto {

class MaxPool2dFunction final : public Function {
 public:
  explicit MaxPool2dFunction(const Pool2dParams& params) : params_(params) {}
  const char* name() const override { return "max_pool2d"; }

  Tensor forward(const Tensors& inputs) {
    const Tensor x = inputs[0].contiguous();
    shape_ = x.shape();
    const Shape out = kernels::pool2d_output_shape(x.view(), params_);
    Tensor y = Tensor::empty(out, x.dtype(), x.device());
    Tensor index = Tensor::empty(out, Dtype::I32, x.device());
    on_device(x.device(), [&](auto& ctx) {
      kernels::max_pool2d_forward(ctx, x.view(), y.view(), index.view(), params_);
    });
    index_ = Saved(index);
    return y;
  }

  Tensors backward(const Tensors& grads) override {
    const Tensor dy = grads[0].contiguous(), index = index_.get("max_pool2d");
    Tensor dx = Tensor::empty(shape_, dy.dtype(), dy.device());
    on_device(dy.device(), [&](auto& ctx) {
      kernels::max_pool2d_backward(ctx, dy.view(), index.view(), dx.view(), params_);
    });
    return {dx};
  }

  void release() override { index_.clear(); }

 private:
  Pool2dParams params_;
  Shape shape_;
  Saved index_;
};

class AvgPool2dFunction final : public Function {
 public:
  explicit AvgPool2dFunction(const Pool2dParams& params) : params_(params) {}
  const char* name() const override { return "avg_pool2d"; }

  Tensor forward(const Tensors& inputs) {
    const Tensor x = inputs[0].contiguous();
    shape_ = x.shape();
    Tensor y =
        Tensor::empty(kernels::pool2d_output_shape(x.view(), params_), x.dtype(), x.device());
    on_device(x.device(),
              [&](auto& ctx) { kernels::avg_pool2d_forward(ctx, x.view(), y.view(), params_); });
    return y;
  }

  Tensors backward(const Tensors& grads) override {
    const Tensor dy = grads[0].contiguous();
    Tensor dx = Tensor::empty(shape_, dy.dtype(), dy.device());
    on_device(dy.device(),
              [&](auto& ctx) { kernels::avg_pool2d_backward(ctx, dy.view(), dx.view(), params_); });
    return {dx};
  }

  void release() override {}

 private:
  Pool2dParams params_;
  Shape shape_;
};

class GlobalAvgPool2dFunction final : public Function {
 public:
  const char* name() const override { return "global_avg_pool2d"; }

  Tensor forward(const Tensors& inputs) {
    const Tensor x = inputs[0].contiguous();
    shape_ = x.shape();
    Tensor y = Tensor::empty({shape_[0], shape_[3]}, x.dtype(), x.device());
    on_device(x.device(),
              [&](auto& ctx) { kernels::global_avg_pool2d_forward(ctx, x.view(), y.view()); });
    return y;
  }

  Tensors backward(const Tensors& grads) override {
    const Tensor dy = grads[0].contiguous();
    Tensor dx = Tensor::empty(shape_, dy.dtype(), dy.device());
    on_device(dy.device(),
              [&](auto& ctx) { kernels::global_avg_pool2d_backward(ctx, dy.view(), dx.view()); });
    return {dx};
  }

  void release() override {}

 private:
  Shape shape_;
};

Tensor max_pool2d(const Tensor& x, const Pool2dParams& params) {
  check_rank("max_pool2d", x, 4);
  return apply<MaxPool2dFunction>({x}, params);
}
Tensor avg_pool2d(const Tensor& x, const Pool2dParams& params) {
  check_rank("avg_pool2d", x, 4);
  return apply<AvgPool2dFunction>({x}, params);
}
Tensor global_avg_pool2d(const Tensor& x) {
  check_rank("global_avg_pool2d", x, 4);
  return apply<GlobalAvgPool2dFunction>({x});
}

}  // namespace ditto
