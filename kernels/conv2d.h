// 2-D convolution (cross-correlation) kernels over NHWC images.
//
//   y[n, oh, ow, o] = bias[o] + sum_{kh, kw, i} x[n, oh * stride + kh * dilation - padding, ..., i]
//   * w[o, kh, kw, i]
//
// x (N, H, W, C), w (O, kH, kW, C / groups), bias (O) or undefined, y (N, OH, OW, O). All
// contiguous, one dtype, H, W, C, O >= 1; N = 0 gives empty images and zero weight gradients. f32
// runs through oneDNN (primitives cached per thread and shape); f64 is our plain loop, which is
// also the reference. The same call with the same number of threads gives the same bits.
//
// On CUDA, f32 and bf16 (summed in f32, rounded, then a bias added) run through cuDNN, f64 (which
// it does not offer for NHWC) through our plain kernels. With deterministic() the same call gives
// the same bits; tf32_allowed() lets inputs be rounded to TF32.
#pragma once

#include "core/context.h"
#include "core/view.h"

namespace ditto::kernels {

// Travels unchanged from nn::Conv2d to the kernel. One value for both axes; padding is zeros, on
// all four sides.
struct Conv2dParams {
  int stride = 1;
  int padding = 0;
  int dilation = 1;
  int groups = 1;
};

// Checks dtypes and shapes ("[conv2d] ...") and returns the shape of y.
Shape conv2d_output_shape(const View& x, const View& w, const View& bias, const Conv2dParams& p);

void conv2d_forward(CpuContext& ctx, const View& x, const View& w, const View& bias, const View& y,
                    const Conv2dParams& p);
// dx = d loss / d x, written (not accumulated).
void conv2d_backward_data(CpuContext& ctx, const View& dy, const View& w, const View& dx,
                          const Conv2dParams& p);
// dw and, where defined, dbias; written (not accumulated).
void conv2d_backward_weights(CpuContext& ctx, const View& dy, const View& x, const View& dw,
                             const View& dbias, const Conv2dParams& p);

void conv2d_forward(CudaContext& ctx, const View& x, const View& w, const View& bias, const View& y,
                    const Conv2dParams& p);
void conv2d_backward_data(CudaContext& ctx, const View& dy, const View& w, const View& dx,
                          const Conv2dParams& p);
void conv2d_backward_weights(CudaContext& ctx, const View& dy, const View& x, const View& dw,
                             const View& dbias, const Conv2dParams& p);

}  // namespace ditto::kernels
