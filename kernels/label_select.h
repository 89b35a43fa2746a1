// One column per row, by label: y_i = x_{i, labels[i]}, and its transpose.
//
// f32 and f64, contiguous. Rows whose label is `ignore` have no column: they give 0 and are left as
// they are. Other labels outside [0, K) throw with the row and the value.
#pragma once

#include "core/context.h"
#include "core/view.h"

namespace ditto::kernels {

// x (n, K), labels (n) i64 -> y (n).
void pick_label(CpuContext& ctx, const View& x, const View& labels, int64_t ignore, const View& y);
// y (n, K) = scale * x, or 0 where x is undefined, but for y_{i, labels[i]} = scale * values[i] (0
// where `values` is undefined).
void put_label(CpuContext& ctx, const View& x, const View& labels, const View& values, double scale,
               int64_t ignore, const View& y);

// The same on the device of `ctx`, where a bad label throws at the next synchronising call
// (core/cuda_fault.h).
void pick_label(CudaContext& ctx, const View& x, const View& labels, int64_t ignore, const View& y);
void put_label(CudaContext& ctx, const View& x, const View& labels, const View& values,
               double scale, int64_t ignore, const View& y);

}  // namespace ditto::kernels
