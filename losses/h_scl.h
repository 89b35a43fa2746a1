// H-SCL: supervised contrastive learning with hard negatives. The positive of a row is the other
// view of its sample; rows of other classes are negatives, weighted by their similarity.
//
//   L_i = -log[ e_ip / (e_ip + F sum_N omega_n e_in) ],  omega_n = e_in^beta / sum_N e^beta,
//   F = n - 2, the number of rows that are not of the pair
//
// Source: reference [22] of paper 003 and its code, whose temperature is 0.5. omega is a constant.
// The code divides 0 by 0 where a batch has one class; here such rows add nothing.
#pragma once

#include "losses/anchors.h"

namespace ditto::losses {

struct HSclOptions {
  double temperature = 0.5;
  double beta = 5;  // >= 0; 0 weighs all negatives alike ("SCL")
  PairOptions common = {.no_positive = NoPositive::MeanAll};
};

// z (n, d), n = 2 views; samples (n) i64 and labels (n) i64.
PairLoss h_scl(const Tensor& z, const Tensor& samples, const Tensor& labels,
               const HSclOptions& options = {});

}  // namespace ditto::losses
