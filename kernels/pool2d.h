// 2-D pooling kernels over NHWC images: the largest or the mean value of every window, and the mean
// of whole images.
//
// x (N, H, W, C) and y (N, OH, OW, C) of dtype f32, f64 or bf16, contiguous; OH = (H + 2 padding -
// kernel) / stride + 1, rounded down, as in PyTorch without ceil_mode. Results do not depend on the
// number of threads. "[pool2d] ..." errors name the shapes.
#pragma once

#include "core/context.h"
#include "core/view.h"

namespace ditto::kernels {

struct Pool2dParams {
  int kernel = 2;
  int stride = 0;   // 0: as large as the kernel
  int padding = 0;  // on all sides, at most kernel / 2: every window holds a pixel
  // Averages divide by kernel^2 (true) or by the number of pixels in the window. The maximum
  // ignores padding in any case.
  bool count_include_pad = true;
};

// Checks x and p; the shape of y.
Shape pool2d_output_shape(const View& x, const Pool2dParams& p);

// `index` i32 of y's shape: h * W + w of the pixel that won, which is the first of equal ones; a
// NaN in a window wins. May be undefined when no backward pass follows.
void max_pool2d_forward(CpuContext& ctx, const View& x, const View& y, const View& index,
                        const Pool2dParams& p);
// dx is written (not accumulated), here and below.
void max_pool2d_backward(CpuContext& ctx, const View& dy, const View& index, const View& dx,
                         const Pool2dParams& p);

void avg_pool2d_forward(CpuContext& ctx, const View& x, const View& y, const Pool2dParams& p);
void avg_pool2d_backward(CpuContext& ctx, const View& dy, const View& dx, const Pool2dParams& p);

// y (N, C): the mean over H and W.
void global_avg_pool2d_forward(CpuContext& ctx, const View& x, const View& y);
void global_avg_pool2d_backward(CpuContext& ctx, const View& dy, const View& dx);

// The same on the device of `ctx`.
void max_pool2d_forward(CudaContext& ctx, const View& x, const View& y, const View& index,
                        const Pool2dParams& p);
void max_pool2d_backward(CudaContext& ctx, const View& dy, const View& index, const View& dx,
                         const Pool2dParams& p);
void avg_pool2d_forward(CudaContext& ctx, const View& x, const View& y, const Pool2dParams& p);
void avg_pool2d_backward(CudaContext& ctx, const View& dy, const View& dx, const Pool2dParams& p);
void global_avg_pool2d_forward(CudaContext& ctx, const View& x, const View& y);
void global_avg_pool2d_backward(CudaContext& ctx, const View& dy, const View& dx);

}  // namespace ditto::kernels
