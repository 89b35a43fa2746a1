// Dropout (Srivastava et al. 2014, inverted form).
#pragma once

#include "core/tensor.h"
#include "kernels/random.h"

namespace ditto {

// y = x * mask, mask = 0 with probability p, else 1 / (1 - p). The mask depends on `stream` and the
// element's position alone. p in [0, 1].
Tensor dropout(const Tensor& x, double p, const kernels::RandomStream& stream);

}  // namespace ditto
