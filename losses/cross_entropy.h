// Cross-entropy of logits with hard labels or soft targets.
//
//   L_i = -sum_c y_ic log p_ic,  p = softmax(z)          (paper 003, Eq. 2; "CCE" of paper 000)
//
// The gradient is g_i ((sum_c y_ic) p_i - y_i): the row sum matters when targets do not sum to 1.
#pragma once

#include <limits>

#include "losses/reduction.h"

namespace ditto::losses {

// As ignore_index: no label is ignored, every one must be in [0, K).
inline constexpr int64_t kNoIgnoredLabel = std::numeric_limits<int64_t>::min();

struct CrossEntropyOptions {
  double label_smoothing = 0;   // target (1 - e) y + e / K
  int64_t ignore_index = -100;  // rows with this label add nothing and leave the mean's denominator
  Reduction reduction = Reduction::Mean;
};

// logits (n, K) f32 or f64; target: labels i64 (n) or soft targets (n, K) of the logits' dtype
// (constants). Mean: over the rows that are not ignored, or 0 when all are. Throws for a label
// outside [0, K).
Tensor cross_entropy(const Tensor& logits, const Tensor& target,
                     const CrossEntropyOptions& options = {});

}  // namespace ditto::losses
