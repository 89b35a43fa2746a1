// Losses for several true classes per row: decoupled softmax and soft top-k.
#pragma once

#include "losses/reduction.h"

namespace ditto::losses {

struct DecoupledSoftmaxOptions {
  double temperature = 0.05;  // for cosine scores; 1 for ordinary logits
  Reduction reduction = Reduction::Mean;
};
// L_i = (1 / |P|) sum_{p in P} -log(e^{s_p} / (e^{s_p} + sum_N e^{s_n})), s = scores / temperature:
// the other true classes leave the denominator, so they do not compete. One true class:
// cross-entropy. scores (n, K); target: multi-hot (n, K) of the scores' dtype (above 0: true), or
// labels i64 (n). Rows without a true class lose 0 and leave the mean; rows without a false one
// lose 0. Negatives are left out of the sum exactly (the authors' code gives them the score -100,
// which leaks once scores / temperature fall below it). Source: paper 001, entry 2, Eq. of DE.
Tensor decoupled_softmax(const Tensor& scores, const Tensor& target,
                         const DecoupledSoftmaxOptions& options = {});

struct SoftTopKOptions {
  int k = 5;
  double alpha = 2;  // steepness
  Reduction reduction = Reduction::Mean;
};
// q_ij = sigmoid(alpha (x_ij + t_i)) with t_i such that sum_j q_ij = k. x (n, K), 1 <= k < K -> (n,
// K). The gradient is that of the solution, v_j = alpha q_j (1 - q_j), dt / dx_j = -v_j / sum v;
// nothing is differentiated through the search.
Tensor soft_top_k(const Tensor& x, const SoftTopKOptions& options = {});
// L_i = mean over the true classes of -log q_ij. Target as in decoupled_softmax.
Tensor soft_top_k_loss(const Tensor& x, const Tensor& target, const SoftTopKOptions& options = {});

}  // namespace ditto::losses
