// What the classification losses share about targets: hard labels i64 (n) or soft targets (n, K).
#pragma once

#include "core/tensor.h"

namespace ditto::losses {

bool is_soft(const Tensor& target);

// Soft targets as they are, labels as one-hot rows of `logits`' dtype (rows labelled `ignore_index`
// are 0). Untracked. Throws when shapes, dtypes or devices do not fit logits (n, K).
Tensor as_soft(const char* op, const Tensor& logits, const Tensor& target, int64_t ignore_index);

// (1 - e) y + e / K of labels or soft targets, as soft targets; `target` itself for e = 0.
Tensor smoothed(const char* op, const Tensor& logits, const Tensor& target, double label_smoothing);

// Per-row losses from the loss of each class: by label, or the mean over a soft target,
// L_i = sum_c y_ic l_ic. class_losses (n, K) -> (n). Rows labelled `ignore_index` give 0.
Tensor over_target(const char* op, const Tensor& class_losses, const Tensor& target,
                   int64_t ignore_index);

// How many rows the mean divides by: those that are not labelled `ignore_index`. Counting waits for
// a device, so nothing is counted for kNoIgnoredLabel.
int64_t counted_rows(const Tensor& target, int64_t ignore_index);

// 1 for the rows that are counted, 0 for those labelled `ignore_index`, (n) like `x` in dtype and
// device; undefined where no row is ignored. Waits for a device as counted_rows does.
Tensor row_mask(const Tensor& x, const Tensor& target, int64_t ignore_index);

// Throws unless `target` is labels i64 (n) for logits (n, K).
void check_hard(const char* op, const Tensor& logits, const Tensor& target);

}  // namespace ditto::losses
