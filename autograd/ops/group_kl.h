// KL divergence of each row's prediction from the mean prediction of its group: the regulariser of
// LossTransform.
//
// Source: paper 000, Eq. 7-8. Formula and gradient: kernels/group_kl.h.
#pragma once

#include "core/tensor.h"

namespace ditto {

struct GroupKlParams {
  bool anchor_grad = false;  // true: differentiate through pbar too (the literal Eq. 7); false:
                             // pbar is a pseudo-label
};

// logits (n, K) -> D_KL(pbar_i || softmax(logits_i)) (n), >= 0, 0 for groups of one row. groups (n)
// i64. `targets` (n, K): weigh pairs by the overlap of their label distributions; undefined: every
// pair counts 1.
Tensor group_kl(const Tensor& logits, const Tensor& groups, const Tensor& targets = Tensor(),
                const GroupKlParams& params = {});

// pbar (n, K), untracked.
Tensor group_anchor(const Tensor& logits, const Tensor& groups, const Tensor& targets = Tensor());
// Mean of x (n, K) over the rows of each group, repeated for its rows; untracked.
Tensor group_mean(const Tensor& x, const Tensor& groups);

}  // namespace ditto
