#include "losses/loss_transform.h"

#include "autograd/ops/arithmetic.h"
#include "autograd/ops/group_kl.h"
#include "autograd/ops/softmax.h"
#include "losses/targets.h"

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
  const Tensor rows = cross_entropy_rows(
      logits, transform_target(target, groups, options),
      {.label_smoothing = options.label_smoothing, .ignore_index = kNoIgnoredLabel});
  const bool soft = target.defined() && is_soft(target);
  return loss_transform_rows(rows, logits, groups, options, soft ? target : Tensor());
}

Tensor transform_target(const Tensor& target, const Tensor& groups,
                        const LossTransformOptions& options) {
  // Hard labels of one image agree: the group's mean label and every overlap are then the plain
  // case.
  const bool soft = target.defined() && is_soft(target);
  return soft && options.mixing == GroupMixing::PseudoLabel ? group_mean(target, groups) : target;
}

Tensor loss_transform_rows(const Tensor& rows, const Tensor& logits, const Tensor& groups,
                           const LossTransformOptions& options, const Tensor& targets) {
  check(options.rho >= 0, "[loss_transform] rho must not be negative:", options.rho);
  const bool batch_loss = rows.defined() && rows.rank() == 0;
  check(!batch_loss || options.reduction == Reduction::Mean,
        "[loss_transform] a loss of the whole batch has only a mean");
  if (options.rho == 0) return reduce(rows, options.reduction);
  const bool overlap = options.mixing == GroupMixing::LabelOverlap;
  const Tensor kl =
      group_kl(logits, groups, overlap ? targets : Tensor(), {.anchor_grad = options.anchor_grad});
  if (batch_loss) return rows + reduce(kl, Reduction::Mean) * options.rho;
  return reduce(rows + kl * options.rho, options.reduction);
}

}  // namespace ditto::losses
