// The nearest other rows of every row, for losses over neighbourhoods and for k-NN classifiers.
#pragma once

#include "core/tensor.h"

namespace ditto {

// x (n, d) -> i64 (n, k): for each row the numbers of the k nearest other rows by Euclidean
// distance, nearest first, ties by number. 1 <= k <= n - 1. Untracked. Memory grows with n.
Tensor nearest_rows(const Tensor& x, int64_t k);

}  // namespace ditto
