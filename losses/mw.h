// MW loss: every positive score against every negative score of the batch, a smooth bound of
// 1 - AUC.
//
//   L = (1 / (P N)) sum_i sum_j log(1 + exp(-(s+_i - s-_j) / tau))
//
// Source: arXiv 2510.00137, Eq. 3, which divides by P only (Paper). The area over the curve is at
// most L / log 2. P x N terms, computed in tiles: memory grows with P + N.
#pragma once

#include "losses/anchors.h"

namespace ditto::losses {

enum class MwReduction { PairMean, Paper };

struct MwOptions {
  double temperature = 0.01;
  MwReduction reduction = MwReduction::PairMean;
  // Of in_batch scores: a positive is compared with the negatives of its own row alone.
  bool per_query = false;
};

// Scores, each one-dimensional, f32 or f64. 0 when either is empty.
Tensor mw_loss(const Tensor& positives, const Tensor& negatives, const MwOptions& options = {});

// scores (B, M), M >= B: (i, i) are the positives, all others negatives (in-batch ones, then extra
// hard negatives).
Tensor mw_loss_in_batch(const Tensor& scores, const MwOptions& options = {});

// The same of the scores queries keys^T, queries (B, d) and keys (M, d), which are made in blocks
// of rows and made again in the backward pass: memory grows with B + M.
Tensor mw_loss_of_pairs(const Tensor& queries, const Tensor& keys, const MwOptions& options = {});

}  // namespace ditto::losses
