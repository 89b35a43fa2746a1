// Multi-Similarity loss with its mining: of an anchor's negatives only those more similar than its
// least similar positive (less a margin), of its positives only those less similar than its most
// similar negative.
//
//   L_i = log(1 + sum_P exp(-alpha (s - threshold))) / alpha
//       + log(1 + sum_N exp(beta (s - threshold))) / beta
//
// Source: Wang et al. 2019 (Eq. 13-16). What is mined is a constant of the backward pass. A row is
// told from itself by its position: the authors' code drops every pair with s > 1 - 1e-5, so also
// near-duplicates; and it fails on an anchor without a positive, which here adds nothing.
#pragma once

#include "losses/anchors.h"

namespace ditto::losses {

struct MultiSimilarityOptions {
  double alpha = 2, beta = 50;
  double threshold = 0.5;
  double margin = 0.1;  // of the mining
  PairOptions common = {.no_positive = NoPositive::MeanAll};
};

// z (n, d); labels i64 (n) or multi-hot (n, K). `valid` counts anchors of which something was
// mined.
PairLoss multi_similarity(const Tensor& z, const Tensor& labels,
                          const MultiSimilarityOptions& options = {});

}  // namespace ditto::losses
