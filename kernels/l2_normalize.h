// Rows scaled to length 1: y = x / max(|x|, eps).
//
// Backward: dx = (g - (g . y) y) / |x|, and g / eps where the length was clamped. Sums accumulate
// in double on the CPU; on CUDA in the rows' dtype, after scaling nothing: f32 rows up to 1e18 long
// do not overflow.
#pragma once

#include "core/context.h"
#include "core/view.h"

namespace ditto::kernels {

// x, y (n, d); lengths (n) = max(|x|, eps), of the dtype of x.
void l2_normalize_forward(CpuContext& ctx, const View& x, double eps, const View& y,
                          const View& lengths);
void l2_normalize_backward(CpuContext& ctx, const View& dy, const View& y, const View& lengths,
                           double eps, const View& dx);
void l2_normalize_forward(CudaContext& ctx, const View& x, double eps, const View& y,
                          const View& lengths);
void l2_normalize_backward(CudaContext& ctx, const View& dy, const View& y, const View& lengths,
                           double eps, const View& dx);

}  // namespace ditto::kernels
