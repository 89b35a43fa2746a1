#include "autograd/ops/triplet_all.h"

#include "autograd/apply.h"
#include "autograd/mixed_precision.h"
#include "autograd/ops/checks.h"
#include "core/on_device.h"

namespace ditto {

// Inputs: x, classes (a constant).
class TripletAllFunction final : public Function {
 public:
  explicit TripletAllFunction(const kernels::TripletAll& math) : math_(math) {}
  const char* name() const override { return "triplet_all"; }

  // {loss, active}
  Tensors forward(const Tensors& inputs) {
    const Tensor x = inputs[0].contiguous(), classes = inputs[1].contiguous();
    Tensor loss = Tensor::empty({x.dim(0)}, x.dtype(), x.device());
    Tensor active = Tensor::empty({x.dim(0)}, x.dtype(), x.device());
    on_device(x.device(), [&](auto& ctx) {
      kernels::triplet_all_forward(ctx, math_, x.view(), classes.view(), loss.view(),
                                   active.view());
    });
    x_ = Saved(x);
    classes_ = Saved(classes);
    return {loss, active};
  }

  Tensors backward(const Tensors& grads) override {
    if (!grads[0].defined()) return {Tensor(), Tensor()};
    const Tensor x = x_.get(name()), classes = classes_.get(name()), g = grads[0].contiguous();
    Tensor dx = Tensor::empty(x.shape(), x.dtype(), x.device());
    on_device(x.device(), [&](auto& ctx) {
      kernels::triplet_all_backward(ctx, math_, x.view(), classes.view(), g.view(), dx.view());
    });
    return {dx, Tensor()};
  }

  void release() override {
    x_.clear();
    classes_.clear();
  }

 private:
  kernels::TripletAll math_;
  Saved x_, classes_;
};

TripletSums triplet_all_rows(const Tensor& x, const Tensor& classes,
                             const kernels::TripletAll& math) {
  check_rank("triplet_all", x, 2);
  check(x.dim(1) >= 1, "[triplet_all] needs embeddings of at least one number, got", x.shape());
  check(classes.dtype() == Dtype::I64 && classes.shape() == Shape{2, x.dim(0)},
        "[triplet_all] classes", classes.shape(), "do not fit", x.shape());
  const Tensors out = apply<TripletAllFunction>({widened(x), classes.detach()}, math);
  return {out[0], out[1].detach()};
}

}  // namespace ditto
