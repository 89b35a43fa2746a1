// Rows scaled to length 1, as contrastive and angular losses want them.
#pragma once

#include "core/tensor.h"

namespace ditto {

// x (n, d), d >= 1 -> x / max(|x|, eps), row by row. A row of zeros stays zero.
Tensor l2_normalize(const Tensor& x, double eps = 1e-12);

}  // namespace ditto
