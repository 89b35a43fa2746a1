// Pooling over NHWC images (f32 or f64). Formulas and options: kernels/pool2d.h.
#pragma once

#include "core/tensor.h"
#include "kernels/pool2d.h"

namespace ditto {

using kernels::Pool2dParams;

// x (N, H, W, C) -> (N, OH, OW, C), OH = (H + 2 padding - kernel) / stride + 1. The gradient goes
// to the first largest.
Tensor max_pool2d(const Tensor& x, const Pool2dParams& params = {});
Tensor avg_pool2d(const Tensor& x, const Pool2dParams& params = {});
// x (N, H, W, C) -> (N, C).
Tensor global_avg_pool2d(const Tensor& x);

}  // namespace ditto
