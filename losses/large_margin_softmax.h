// Large-margin softmax: the true class's logit is computed at m times its angle, so that classes
// keep an angular distance.
//
//   f_y = |w_y| |x| psi(theta_y),  psi = (-1)^k cos(m theta) - 2k  on [k pi / m, (k + 1) pi / m]
//
// and CE over f_y and the other logits w_c . x; there is no bias. Source: Liu et al. 2016, Eq. 4-6
// ("max-margin classifiers" of paper 000). psi is computed without acos, from c = cos(theta):
// k counts the boundaries cos(j pi / m) >= c and cos(m theta) is the Chebyshev polynomial T_m(c),
// so nothing is singular at c = +-1.
#pragma once

#include "losses/reduction.h"

namespace ditto::losses {

struct LargeMarginSoftmaxOptions {
  int margin = 2;     // m, 1 to 4; 1 is cross-entropy
  double lambda = 0;  // annealing: f_y' = (lambda w_y . x + f_y) / (1 + lambda)
  Reduction reduction = Reduction::Mean;
};

// features (n, d), weights (K, d), labels i64 (n). Norms below 1e-9 count as 1e-9. Throws for a
// label outside [0, K).
Tensor large_margin_softmax(const Tensor& features, const Tensor& weights, const Tensor& labels,
                            const LargeMarginSoftmaxOptions& options = {});
// The modified logits (n, K).
Tensor large_margin_logits(const Tensor& features, const Tensor& weights, const Tensor& labels,
                           const LargeMarginSoftmaxOptions& options = {});

// The authors' schedule of lambda: max(minimum, base (1 + gamma iteration)^-power).
struct LargeMarginAnnealing {
  double base = 1000, gamma = 1e-5, power = 45, minimum = 0;  // their CIFAR-10 values
};
double large_margin_lambda(int64_t iteration, const LargeMarginAnnealing& options = {});

}  // namespace ditto::losses
