// Rows by index.
#pragma once

#include "core/tensor.h"

namespace ditto {

// y[i] = x[index[i]]. x (n, ...), index (m) i64 -> (m, ...). An index outside [0, n) throws.
Tensor index_select(const Tensor& x, const Tensor& index);

}  // namespace ditto
