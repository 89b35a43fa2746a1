// The nearest other rows of every row by squared Euclidean distance, tile by tile
// (kernels/pair_loss_tiles.h): memory grows with n, not with n^2.
#pragma once

#include "core/context.h"
#include "core/view.h"

namespace ditto::kernels {

// x (n, d), f32 or f64; index (n, k) i64, k < n: nearest first, ties by row number.
void nearest_rows(CpuContext& ctx, const View& x, const View& index);
void nearest_rows(CudaContext& ctx, const View& x, const View& index);

}  // namespace ditto::kernels
