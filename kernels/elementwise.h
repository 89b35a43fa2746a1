// Elementwise kernels: unary and broadcasting binary functions from the lists in unary_math.h and
// binary_math.h.
//
// f32 and f64. Operands of unary kernels are contiguous and of one shape; binary operands may carry
// any strides (0 = broadcast) over the output's shape, the output is contiguous.
#pragma once

#include "core/context.h"
#include "core/view.h"
#include "kernels/binary_math.h"
#include "kernels/unary_math.h"

namespace ditto::kernels {

// y = f(x).
void unary_forward(CpuContext& ctx, int op, const View& x, const View& y);
void unary_forward(CudaContext& ctx, int op, const View& x, const View& y);
// dx = dy * df(saved); `saved` is x or y as the op declares, and undefined when it saves nothing.
void unary_backward(CpuContext& ctx, int op, const View& dy, const View& saved, const View& dx);
void unary_backward(CudaContext& ctx, int op, const View& dy, const View& saved, const View& dx);

// y = f(a, b).
void binary_forward(CpuContext& ctx, int op, const View& a, const View& b, const View& y);
void binary_forward(CudaContext& ctx, int op, const View& a, const View& b, const View& y);
// out = dy * (d f / d a) or dy * (d f / d b), over the output's shape (not yet summed over
// broadcast dimensions).
enum class Side { A, B };
void binary_backward(CpuContext& ctx, int op, Side side, const View& dy, const View& a,
                     const View& b, const View& out);
void binary_backward(CudaContext& ctx, int op, Side side, const View& dy, const View& a,
                     const View& b, const View& out);

// y += scale * x, contiguous and of one shape.
void accumulate(CpuContext& ctx, const View& x, double scale, const View& y);
void accumulate(CudaContext& ctx, const View& x, double scale, const View& y);
// y = scale * x.
void scale(CpuContext& ctx, const View& x, double scale, const View& y);
void scale(CudaContext& ctx, const View& x, double scale, const View& y);
// dst = src, any strides and dtypes.
void copy(CpuContext& ctx, const View& src, const View& dst);
void copy(CudaContext& ctx, const View& src, const View& dst);
// dst = value.
void fill(CpuContext& ctx, double value, const View& dst);
void fill(CudaContext& ctx, double value, const View& dst);

}  // namespace ditto::kernels
