#include "autograd/ops/activations.h"

#include "core/on_device.h"

namespace ditto {

Tensor unary_value(int op, const Tensor& x) {
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  on_device(x.device(), [&](auto& ctx) { kernels::unary_forward(ctx, op, x.view(), y.view()); });
  return y;
}

Tensor unary_gradient(int op, const Tensor& dy, const Tensor& saved) {
  Tensor dx = Tensor::empty(dy.shape(), dy.dtype(), dy.device());
  on_device(dy.device(), [&](auto& ctx) {
    kernels::unary_backward(ctx, op, dy.view(), saved.view(), dx.view());
  });
  return dx;
}

}  // namespace ditto
