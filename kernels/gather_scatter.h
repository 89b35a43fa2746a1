// Rows by index: y[i] = x[index[i]], and its transpose. x (n, ...), index (m) i64, y (m, ...). f32
// and f64.
#pragma once

#include "core/context.h"
#include "core/view.h"

namespace ditto::kernels {

// Throws "[index_select]" with position and value when an index is outside [0, n).
void gather_rows(CpuContext& ctx, const View& x, const View& index, const View& y);
// dx = 0, then dx[index[i]] += dy[i], in the order of i (deterministic).
void scatter_add_rows(CpuContext& ctx, const View& dy, const View& index, const View& dx);

// The same on the device of `ctx`, where a bad index throws at the next synchronising call
// (core/cuda_fault.h).
void gather_rows(CudaContext& ctx, const View& x, const View& index, const View& y);
void scatter_add_rows(CudaContext& ctx, const View& dy, const View& index, const View& dx);

}  // namespace ditto::kernels
