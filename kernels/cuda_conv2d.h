// How convolutions run on CUDA: the limits and records of the cuDNN path (conv2d.h is what ops
// call), and the plain kernels behind it. Private to kernels and their tests.
#pragma once

#include "core/cuda_context.h"
#include "kernels/conv2d_provider.h"

namespace ditto::kernels {

// Scratch memory that an algorithm of cuDNN may ask for; others are not considered. The first value
// is that of DITTO_CUDNN_WORKSPACE (bytes), or 256 MiB.
int64_t cudnn_workspace_limit();
void set_cudnn_workspace_limit(int64_t bytes);

// Which way the calling thread's last convolution took, e.g. "cudnn algorithm 1 (refused: 0)" or
// "plain kernels (refused: 0, 1)".
const std::string& last_conv2d_plan();

// The plain kernels, conv2d.cu: f64, and where cuDNN has nothing. Deterministic.
template <class T>
void conv2d_forward_direct(CudaContext& ctx, const Conv2dShape& s, const T* x, const T* w,
                           const T* bias, T* y);
template <class T>
void conv2d_backward_data_direct(CudaContext& ctx, const Conv2dShape& s, const T* dy, const T* w,
                                 T* dx);
template <class T>
void conv2d_backward_weights_direct(CudaContext& ctx, const Conv2dShape& s, const T* dy, const T* x,
                                    T* dw);

}  // namespace ditto::kernels
