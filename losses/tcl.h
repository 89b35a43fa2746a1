// Tuned contrastive learning: SupCon with stronger pulls on hard positives (k1) and pushes on hard
// negatives (k2).
//
//   L_i = -(1/|P|) sum_{p in P} log(e_ip / D_i),
//   D_i = sum_P e_ip + k1 sum_P exp(-s_ip) + k2 sum_N e_in
//
// The k1 term has no temperature. k1 = 0 and k2 = 1 give SupCon. Source: paper 002, Eq. 8-11, and
// the defaults of its code. The code divides entry (i, j) by D_j, which only the mean over whole
// classes hides; here every anchor has its own D_i. Anchors without a positive are NaN there.
#pragma once

#include "losses/anchors.h"

namespace ditto::losses {

struct TclOptions {
  double temperature = 0.1;
  double k1 = 5000;  // >= 0
  double k2 = 1;     // >= 0
  PairOptions common = {};
};

// z (n, d); labels i64 (n) or multi-hot (n, K). Self-supervised: sample ids as labels; two views,
// the paper's three (triplets), or more.
PairLoss tcl(const Tensor& z, const Tensor& labels, const TclOptions& options = {});

}  // namespace ditto::losses
