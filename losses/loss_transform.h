// LossTransform T(L) for classification: replicas of one image pull each other's predictions
// together.
//
//   T(L) = (1/n) sum_i [ L(y_i; p_i) + rho D_KL(pbar_i || psi^-1(p_i)) ]      (paper 000, Eq. 7-8)
//
// pbar_i is the mean prediction of the rows that show the same source image as row i (its group, i
// included). For class probabilities psi^-1 is the identity: augmentation does not change the
// category. The paper leaves open whether pbar is differentiated, how mixed labels pair, and the
// value of rho; the options name each choice (spec: docs/design.md).
#pragma once

#include "losses/cross_entropy.h"

namespace ditto::losses {

// How CutMix and mixup enter. GroupConsistent (D2): the whole group is mixed with one partner group
// and one lambda, so labels agree; PerReplica (D1): each replica has its own mixed label;
// PseudoLabel (D3): L is taken against the group's mean label; LabelOverlap (D4): pairs count by
// the overlap sum_c min(y_ic, y_jc) of their labels. D1 and D2 differ in the data only; the loss is
// the same.
enum class GroupMixing { GroupConsistent, PerReplica, PseudoLabel, LabelOverlap };

// "d2", "d1", "d3", "d4"; anything else throws with the list.
GroupMixing group_mixing(const std::string& name);

struct LossTransformOptions {
  double rho = 1;  // weight of the KL term; 0 gives L, bit for bit
  bool anchor_grad =
      false;  // true: through pbar as Eq. 7 is written; false: pbar is a pseudo-label (sec. 2.1)
  GroupMixing mixing = GroupMixing::GroupConsistent;
  double label_smoothing = 0;
  Reduction reduction = Reduction::Mean;
};

// T(cross-entropy). logits (n, K), target as in cross_entropy, groups (n) i64: equal ids are
// replicas of one image. Groups of one row add nothing. There is no ignore_index: every label must
// be a class. With hard labels all four mixings coincide.
Tensor loss_transform(const Tensor& logits, const Tensor& target, const Tensor& groups,
                      const LossTransformOptions& options = {});

// T(L) of any loss: per-row losses `rows` (n) computed from the same logits, or, for losses of the
// whole batch, their one value (a scalar), to which the mean KL is added. `targets` (n, K) for
// LabelOverlap only.
Tensor loss_transform_rows(const Tensor& rows, const Tensor& logits, const Tensor& groups,
                           const LossTransformOptions& options = {},
                           const Tensor& targets = Tensor());

// The target that L sees: the group's mean label for PseudoLabel and soft targets, else `target`.
Tensor transform_target(const Tensor& target, const Tensor& groups,
                        const LossTransformOptions& options);

}  // namespace ditto::losses
