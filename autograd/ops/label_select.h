// The column that each row's label names: reading it and replacing it. Kernels:
// kernels/label_select.h.
#pragma once

#include <limits>

#include "core/tensor.h"

namespace ditto {

// As `ignore`: every label must be a class.
inline constexpr int64_t kNoLabel = std::numeric_limits<int64_t>::min();

// y_i = x_{i, labels[i]}. x (n, K) f32 or f64 (bf16 is widened), labels (n) i64 -> (n). Rows
// labelled `ignore` give 0; another label outside [0, K) throws.
Tensor pick_label(const Tensor& x, const Tensor& labels, int64_t ignore = kNoLabel);
// scale * x with x_{i, labels[i]} = values[i]; values (n). Rows labelled `ignore` keep their x.
Tensor put_label(const Tensor& x, const Tensor& labels, const Tensor& values, double scale = 1,
                 int64_t ignore = kNoLabel);
// (n, classes): 1 in the label's column, 0 elsewhere and in rows labelled `ignore`. Untracked.
Tensor one_hot(const Tensor& labels, int64_t classes, Dtype dtype, int64_t ignore = kNoLabel);

}  // namespace ditto
