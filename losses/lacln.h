// LACLN, the label-aware contrastive loss with weighted negatives, and CLCE, its sum with
// cross-entropy.
//
//   LACLN_i = -log( (1/|P|) A / (A + B) ),  A = sum_P e_ip,
//   B = sum_{k in N} w_ik e_ik,  w_ik = |N| e_ik / sum_N e_in
//   CLCE    = (1 - lambda) CE + lambda LACLN
//
// Source: paper 003, Eq. 1-3. The paper sums LACLN over the rows (reduction = Sum); a mean keeps
// lambda's balance independent of the batch. It does not say whether w is differentiated:
// through_weights is the literal formula, in which an easy negative can be attracted; the default
// holds w constant, as other losses with weighted negatives do. Anchors without a positive or a
// negative are not valid (their loss would be log |P|, without gradient).
#pragma once

#include "losses/anchors.h"

namespace ditto::losses {

struct LaclnOptions {
  double temperature = 0.5;
  bool through_weights = false;
  bool log_positives = true;  // the 1/|P| inside the logarithm: a constant
  PairOptions common = {};
};

// z (n, d); labels i64 (n) or multi-hot (n, K).
PairLoss lacln(const Tensor& z, const Tensor& labels, const LaclnOptions& options = {});

struct ClceOptions {
  double lambda = 0.9;  // in [0, 1]; 0 is cross-entropy, 1 is LACLN
  double label_smoothing = 0;
  LaclnOptions lacln = {};
};

// logits (n, K) and embeddings z (n, d) of the same rows, labels i64 (n). Cross-entropy is a mean
// over the rows. `valid` is LACLN's.
PairLoss clce(const Tensor& logits, const Tensor& z, const Tensor& labels,
              const ClceOptions& options = {});

}  // namespace ditto::losses
