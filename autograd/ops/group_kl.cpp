#include "autograd/ops/group_kl.h"

#include "autograd/apply.h"
#include "autograd/mixed_precision.h"
#include "autograd/ops/checks.h"
#include "core/on_device.h"
#include "kernels/group_kl.h"

namespace ditto {

// Inputs: logits, groups, targets (the last two are constants).
class GroupKlFunction final : public Function {
 public:
  explicit GroupKlFunction(const GroupKlParams& params) : params_(params) {}
  const char* name() const override { return "group_kl"; }

  // {kl, anchor}
  Tensors forward(const Tensors& inputs) {
    const Tensor logits = inputs[0].contiguous(), groups = inputs[1].contiguous(),
                 targets = inputs[2].contiguous();
    Tensor kl = Tensor::empty({logits.dim(0)}, logits.dtype(), logits.device());
    Tensor anchor = Tensor::empty(logits.shape(), logits.dtype(), logits.device());
    on_device(logits.device(), [&](auto& ctx) {
      kernels::group_kl_forward(ctx, logits.view(), groups.view(), targets.view(), kl.view(),
                                anchor.view());
    });
    logits_ = Saved(logits);
    groups_ = Saved(groups);
    targets_ = Saved(targets);
    return {kl, anchor};
  }

  Tensors backward(const Tensors& grads) override {
    const Tensor logits = logits_.get("group_kl"), groups = groups_.get("group_kl");
    const Tensor targets = targets_.get("group_kl");
    Tensor dlogits = Tensor::empty(logits.shape(), logits.dtype(), logits.device());
    const Tensor g = grads[0].contiguous();
    on_device(logits.device(), [&](auto& ctx) {
      kernels::group_kl_backward(ctx, g.view(), logits.view(), groups.view(), targets.view(),
                                 params_.anchor_grad, dlogits.view());
    });
    return {dlogits, Tensor(), Tensor()};
  }

  void release() override {
    logits_.clear();
    groups_.clear();
    targets_.clear();
  }

 private:
  GroupKlParams params_;
  Saved logits_, groups_, targets_;
};

static void check_groups(const Tensor& logits, const Tensor& groups, const Tensor& targets) {
  check_rank("group_kl", logits, 2);
  check(logits.dim(1) >= 1, "[group_kl] needs at least one class, got", logits.shape());
  check_index("group_kl", groups, logits.dim(0), logits);
  if (!targets.defined()) return;
  check_match("group_kl", logits, targets);
  check(targets.shape() == logits.shape(), "[group_kl] targets", targets.shape(),
        "do not fit logits", logits.shape());
}

Tensor group_kl(const Tensor& outputs, const Tensor& groups, const Tensor& targets,
                const GroupKlParams& params) {
  const Tensor logits = widened(outputs);
  check_groups(logits, groups, targets);
  return apply<GroupKlFunction>({logits, groups.detach(), targets.detach()}, params)[0];
}

Tensor group_anchor(const Tensor& outputs, const Tensor& groups, const Tensor& targets) {
  NoGrad guard;
  const Tensor logits = widened(outputs);
  check_groups(logits, groups, targets);
  return apply<GroupKlFunction>({logits, groups, targets}, GroupKlParams{})[1];
}

Tensor group_mean(const Tensor& x, const Tensor& groups) {
  check_rank("group_mean", x, 2);
  check_index("group_mean", groups, x.dim(0), x);
  const Tensor source = widened(x.detach()).contiguous(), ids = groups.detach().contiguous();
  Tensor mean = Tensor::empty(x.shape(), source.dtype(), x.device());
  on_device(x.device(),
            [&](auto& ctx) { kernels::group_mean(ctx, source.view(), ids.view(), mean.view()); });
  return mean;
}

}  // namespace ditto
