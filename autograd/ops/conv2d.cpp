#include "autograd/ops/conv2d.h"

#include "autograd/apply.h"
#include "autograd/mixed_precision.h"
#include "autograd/ops/checks.h"
#include "core/on_device.h"

namespace ditto {

class Conv2dFunction final : public Function {
 public:
  explicit Conv2dFunction(const Conv2dParams& params) : params_(params) {}
  const char* name() const override { return "conv2d"; }

  Tensor forward(const Tensors& inputs) {
    const Tensor x = inputs[0].contiguous(), w = inputs[1].contiguous(),
                 bias = inputs[2].contiguous();
    const Shape shape = kernels::conv2d_output_shape(x.view(), w.view(), bias.view(), params_);
    Tensor y = Tensor::empty(shape, x.dtype(), x.device());
    on_device(x.device(), [&](auto& ctx) {
      kernels::conv2d_forward(ctx, x.view(), w.view(), bias.view(), y.view(), params_);
    });
    x_ = Saved(x);
    w_ = Saved(w);
    return y;
  }

  Tensors backward(const Tensors& grads) override {
    const Tensor dy = grads[0].contiguous();
    const Tensor x = x_.get("conv2d"), w = w_.get("conv2d");
    Tensor dx, dw, dbias;
    // The first layer's input needs no gradient: its data pass is skipped.
    if (needs_grad(0)) {
      dx = Tensor::empty(x.shape(), x.dtype(), x.device());
      on_device(x.device(), [&](auto& ctx) {
        kernels::conv2d_backward_data(ctx, dy.view(), w.view(), dx.view(), params_);
      });
    }
    if (needs_grad(1) || needs_grad(2)) {
      dw = Tensor::empty(w.shape(), w.dtype(), w.device());
      if (needs_grad(2)) dbias = Tensor::empty({w.dim(0)}, w.dtype(), w.device());
      on_device(x.device(), [&](auto& ctx) {
        kernels::conv2d_backward_weights(ctx, dy.view(), x.view(), dw.view(), dbias.view(),
                                         params_);
      });
    }
    return {dx, dw, dbias};
  }

  void release() override {
    x_.clear();
    w_.clear();
  }

 private:
  Conv2dParams params_;
  Saved x_, w_;
};

Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dParams& params) {
  const Tensor image = to_compute_dtype(x), weight = to_compute_dtype(w),
               offset = to_compute_dtype(bias);
  check_match("conv2d", image, weight);
  if (bias.defined()) check_match("conv2d", image, offset);
  return apply<Conv2dFunction>({image, weight, offset}, params);
}

}  // namespace ditto
