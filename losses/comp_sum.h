// Comp-sum losses: one family from the sum-exponential loss over cross-entropy and generalised
// cross-entropy to the mean absolute error.
//
//   L_i = Phi_tau(u_i),  u_i = sum_{k != y} exp(z_k - z_y) = 1 / p_y - 1
//   Phi_tau(u) = ((1 + u)^(1 - tau) - 1) / (1 - tau),  log(1 + u) for tau = 1
//
// tau = 0: sum-exponential; 1: cross-entropy; between 1 and 2: generalised cross-entropy with
// q = tau - 1; 2: mean absolute error. Smaller tau weighs hard examples more, larger tau is robust
// to wrong labels. The gradient is p_y^(tau - 1) (p - onehot). Source: Mao, Mohri and Zhong 2023,
// "Cross-Entropy Loss Functions" (paper 001, entry 3).
#pragma once

#include "losses/cross_entropy.h"

namespace ditto::losses {

struct CompSumOptions {
  double tau = 1;
  double truncation = 0;  // k: constant where p_y <= k (truncated GCE, Zhang and Sabuncu 2018)
  double scale = 1;
  double label_smoothing = 0;
  int64_t ignore_index = -100;
  Reduction reduction = Reduction::Mean;
};

// logits (n, K) f32 or f64; target: labels i64 (n) or soft targets (n, K), for which the loss is
// sum_c y_c Phi(1 / p_c - 1), linear in the target. For tau < 1 the loss grows as 1 / p_y; beyond
// exponents of 60 it goes on in a straight line, so finite logits give finite gradients. Throws for
// tau outside [0, 2] and a truncation outside [0, 1).
Tensor comp_sum(const Tensor& logits, const Tensor& target, const CompSumOptions& options = {});

struct GceOptions {
  double q = 0.7;         // (1 - p_y^q) / q; q -> 0 is cross-entropy, 1 is 1 - p_y
  double truncation = 0;  // k; the paper's truncated form has 0.5
  double label_smoothing = 0;
  int64_t ignore_index = -100;
  Reduction reduction = Reduction::Mean;
};
// Generalised cross-entropy, comp_sum with tau = 1 + q, q in [0, 1]. Source: Zhang and Sabuncu
// 2018, Eq. 6, and Eq. 9 for the truncated form.
Tensor generalized_cross_entropy(const Tensor& logits, const Tensor& target,
                                 const GceOptions& options = {});

struct SmoothAdversarialOptions {
  double tau = 1;
  double nu = 1;  // weight of the distance
  int64_t ignore_index = -100;
  Reduction reduction = Reduction::Mean;
};
// Smooth adversarial comp-sum loss: Phi_tau(u) + nu |D(x') - D(x)|_2 with D_k = z_y - z_k, k != y,
// for the logits of an input x and of its perturbation x' in the ball around it. The supremum over
// x' is the caller's (a few steps of gradient ascent on the same loss). [def]: the source's text of
// this formula could not be checked. Both logits are differentiated; where they agree, the
// distance's gradient, 0 / 0, is 0. Labels i64 (n) only.
Tensor smooth_adversarial(const Tensor& logits, const Tensor& perturbed_logits,
                          const Tensor& labels, const SmoothAdversarialOptions& options = {});

}  // namespace ditto::losses
