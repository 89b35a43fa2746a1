// Z-loss: how far the true class's output stands above the row's mean, in standard deviations.
//
//   L_i = softplus(a (b - z_iy)) / a,  z_ic = (o_ic - mean_i) / sigma_i
//
// sigma is the population standard deviation over the K outputs of the row. Invariant to shifts and
// scales of a row. z is at most sqrt(K - 1): with b above that the loss never saturates. Source: de
// Brebisson and Vincent 2016 (paper 001, entry 9).
#pragma once

#include "losses/cross_entropy.h"

namespace ditto::losses {

struct ZLossOptions {
  double a = 1, b = 1;  // [def]: the paper tunes both for each data set
  double label_smoothing = 0;
  int64_t ignore_index = -100;
  Reduction reduction = Reduction::Mean;
};

// logits (n, K); target: labels i64 (n), or soft targets (n, K), over which the loss of each class
// is averaged. sigma is at least 1e-6; a row of equal logits has z = 0.
Tensor z_loss(const Tensor& logits, const Tensor& target, const ZLossOptions& options = {});

}  // namespace ditto::losses
