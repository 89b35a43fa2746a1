// Focal losses: examples that are already right count less; and sample weights by how rare an
// image's appearance is.
#pragma once

#include "losses/cross_entropy.h"

namespace ditto::losses {

struct SoftmaxFocalOptions {
  double gamma = 2;  // 0: cross-entropy
  double label_smoothing = 0;
  int64_t ignore_index = -100;
  Reduction reduction = Reduction::Mean;
};
// L_i = -(1 - p_y)^gamma log p_y, p = softmax(z). logits (n, K); target: labels i64 (n), or soft
// targets (n, K), over which the loss of each class is averaged. Source: Lin et al. 2017, Eq. 4.
Tensor softmax_focal(const Tensor& logits, const Tensor& target,
                     const SoftmaxFocalOptions& options = {});

struct SigmoidFocalOptions {
  double gamma = 2;
  double alpha = 0.25;  // weight of the positives, 1 - alpha of the negatives; negative: neither
  Reduction reduction = Reduction::Mean;
  double normalizer = 0;  // what Mean divides by; 0: the rows. Detectors take the positives
};
// A binary problem per element: BCE (1 - p_t)^gamma alpha_t, p = sigmoid(x). logits and targets in
// [0, 1], both (n) or (n, K), or labels i64 (n) for logits (n, K) (one class against the rest).
// Rows are summed over K. Source: Lin et al. 2017, Eq. 5.
Tensor sigmoid_focal(const Tensor& logits, const Tensor& target,
                     const SigmoidFocalOptions& options = {});

struct DatasetEquityOptions {
  double eta = 1, gamma = 5;
};
// Weight of each sample, (eta + (1 - p)^gamma) / (eta + 1): p (n) in [0, 1] is the likelihood of
// the sample's appearance cluster in the data set (not a class probability), looked up by sample
// id; a constant. 1 for the rarest, eta / (1 + eta) for p = 1. Source: paper 001, entry 14
// (DatasetEquity).
Tensor dataset_equity_weights(const Tensor& likelihood, const DatasetEquityOptions& options = {});
// "Generalised focal loss": any per-sample losses `rows` (n) times those weights; Mean divides by
// n.
Tensor generalized_focal(const Tensor& rows, const Tensor& likelihood,
                         const DatasetEquityOptions& options = {},
                         Reduction reduction = Reduction::Mean);

}  // namespace ditto::losses
