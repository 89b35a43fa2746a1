// Contrastive losses with views of one sample as positives: NT-Xent, InfoNCE and two variants.
//
//   NT-Xent   L_i = log sum_{a != i} e_ia - mean_{views p of i's sample} s_ip / tau
//   InfoNCE   L_i = log sum_j exp(q_i . k_j / tau) - q_i . k_i / tau
//   hard      InfoNCE over the positive and the negatives above a threshold
//   simple    -q_i . k_i + lambda sum_{j != i} q_i . k_j
//
// Source: Chen et al. 2020 (SimCLR), van den Oord et al. 2018; hard and simple: paper
// "Understanding the Behaviour of Contrastive Loss". When all embeddings are equal, NT-Xent of 2N
// rows is log(2N - 1).
#pragma once

#include "losses/anchors.h"

namespace ditto::losses {

struct NtXentOptions {
  double temperature = 0.5;
  PairOptions common = {};
};
// z (n, d) of any number of views; samples (n) i64: rows of the same sample are positive.
PairLoss nt_xent(const Tensor& z, const Tensor& samples, const NtXentOptions& options = {});

struct InfoNceOptions {
  double temperature = 0.1;
  PairOptions common = {};
};
// queries (n, d), keys (m, d) with m >= n: key i is the positive of query i, all others are
// negatives. One direction: add info_nce(keys, queries) for both.
PairLoss info_nce(const Tensor& queries, const Tensor& keys, const InfoNceOptions& options = {});

struct HardContrastiveOptions {
  double temperature = 0.1;
  double fraction = 0.1;  // of an anchor's negatives, the hardest, rounded up; in (0, 1]
  bool fixed = false;     // true: negatives with similarity >= threshold instead
  double threshold = 0;
  PairOptions common = {};
};
PairLoss hard_contrastive(const Tensor& queries, const Tensor& keys,
                          const HardContrastiveOptions& options = {});

struct SimpleContrastiveOptions {
  double lambda = 1;
  PairOptions common = {};
};
PairLoss simple_contrastive(const Tensor& queries, const Tensor& keys,
                            const SimpleContrastiveOptions& options = {});

}  // namespace ditto::losses
