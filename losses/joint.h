// A loss of embeddings together with cross-entropy: (1 - lambda) CE + lambda L, the form of CLCE
// (paper 003, Eq. 3) and of its baseline CE + SupCon.
#pragma once

#include "losses/anchors.h"

namespace ditto::losses {

// logits (n, K) and labels i64 (n); `pairs` holds the mean or sum of the same rows. lambda in [0,
// 1]. `valid` is that of `pairs`. Throws "[op] ..." for another lambda, or a loss per row.
PairLoss with_cross_entropy(const char* op, const Tensor& logits, const Tensor& labels,
                            double label_smoothing, const PairLoss& pairs, double lambda);

}  // namespace ditto::losses
