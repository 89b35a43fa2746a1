#include "losses/loss_transform.h"

#include "autograd/ops/arithmetic.h"
#include "autograd/ops/group_kl.h"
#include "autograd/ops/softmax.h"

namespace ditto::losses {

GroupMixing group_mixing(const std::string& name) {
  if (name == "d2") return GroupMixing::GroupConsistent;
  if (name == "d1") return GroupMixing::PerReplica;
  if (name == "d3") return GroupMixing::PseudoLabel;
  if (name == "d4") return GroupMixing::LabelOverlap;
  fail("[loss_transform] unknown mixing '" + name + "': d1, d2, d3, d4");
}

Tensor loss_transform(const Tensor& logits, const Tensor& target, const Tensor& groups,
                      const LossTransformOptions& options) {
  const bool soft = target.defined() && target.dtype() != Dtype::I64;
  // Hard labels of one image agree: the group's mean label and every overlap are then the plain
  // case.
  const bool pseudo = options.mixing == GroupMixing::PseudoLabel && soft;
  const Tensor rows = cross_entropy_rows(
      logits, pseudo ? group_mean(target, groups) : target,
      {.label_smoothing = options.label_smoothing, .ignore_index = kNoIgnoredLabel});
  return loss_transform_rows(rows, logits, groups, options, soft ? target : Tensor());
}

Tensor loss_transform_rows(const Tensor& rows, const Tensor& logits, const Tensor& groups,
                           const LossTransformOptions& options, const Tensor& targets) {
  check(options.rho >= 0, "[loss_transform] rho must not be negative:", options.rho);
  if (options.rho == 0) return reduce(rows, options.reduction);
  const bool overlap = options.mixing == GroupMixing::LabelOverlap;
  const Tensor kl =
      group_kl(logits, groups, overlap ? targets : Tensor(), {.anchor_grad = options.anchor_grad});
  return reduce(rows + kl * options.rho, options.reduction);
}

}  // namespace ditto::losses
