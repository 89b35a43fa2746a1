#include "autograd/ops/l2_normalize.h"

#include "autograd/apply.h"
#include "autograd/mixed_precision.h"
#include "autograd/ops/checks.h"
#include "core/on_device.h"
#include "kernels/l2_normalize.h"

namespace ditto {

class L2NormalizeFunction final : public Function {
 public:
  explicit L2NormalizeFunction(double eps) : eps_(eps) {}
  const char* name() const override { return "l2_normalize"; }

  Tensor forward(const Tensors& inputs) {
    const Tensor x = inputs[0].contiguous();
    Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
    Tensor lengths = Tensor::empty({x.dim(0)}, x.dtype(), x.device());
    on_device(x.device(), [&](auto& ctx) {
      kernels::l2_normalize_forward(ctx, x.view(), eps_, y.view(), lengths.view());
    });
    y_ = Saved(y);
    lengths_ = Saved(lengths);
    return y;
  }

  Tensors backward(const Tensors& grads) override {
    const Tensor dy = grads[0].contiguous(), y = y_.get("l2_normalize");
    const Tensor lengths = lengths_.get("l2_normalize");
    Tensor dx = Tensor::empty(y.shape(), y.dtype(), y.device());
    on_device(y.device(), [&](auto& ctx) {
      kernels::l2_normalize_backward(ctx, dy.view(), y.view(), lengths.view(), eps_, dx.view());
    });
    return {dx};
  }

  void release() override {
    y_.clear();
    lengths_.clear();
  }

 private:
  double eps_;
  Saved y_, lengths_;
};

Tensor l2_normalize(const Tensor& x, double eps) {
  check_rank("l2_normalize", x, 2);
  check(x.dim(1) >= 1, "[l2_normalize] needs at least one number per row, got", x.shape());
  check(eps > 0, "[l2_normalize] eps must be positive:", eps);
  return apply<L2NormalizeFunction>({widened(x)}, eps);
}

}  // namespace ditto
