// Reductions over one group of adjacent dimensions: x seen as (outer, reduce, inner), y as (outer,
// inner).
//
// bf16 is widened to f32, f32 accumulates in double. The split of the work is fixed by the sizes,
// never by the number of threads, so results are the same bytes for any thread count.
#pragma once

#include "core/context.h"
#include "core/view.h"

namespace ditto::kernels {

struct ReduceSizes {
  int64_t outer = 1, reduce = 1, inner = 1;
};

// y = scale * sum over `reduce`. An empty sum is 0.
void reduce_sum(CpuContext& ctx, const View& x, const View& y, ReduceSizes sizes, double scale);
// y = max over `reduce`, index (i64) = its first position; NaN wins. reduce >= 1.
void reduce_max(CpuContext& ctx, const View& x, const View& y, const View& index,
                ReduceSizes sizes);
// dx = 0, and dy at the saved positions.
void reduce_max_backward(CpuContext& ctx, const View& dy, const View& index, const View& dx,
                         ReduceSizes sizes);

// The same on the device of `ctx`; sums of f32 stay in f32, in trees of fixed shape.
void reduce_sum(CudaContext& ctx, const View& x, const View& y, ReduceSizes sizes, double scale);
void reduce_max(CudaContext& ctx, const View& x, const View& y, const View& index,
                ReduceSizes sizes);
void reduce_max_backward(CudaContext& ctx, const View& dy, const View& index, const View& dx,
                         ReduceSizes sizes);

}  // namespace ditto::kernels
