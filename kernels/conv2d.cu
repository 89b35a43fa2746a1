// Plain convolution kernels for f64, f32 and bf16.
//
// Plan. cuDNN has no NHWC convolution in f64, and f64 is for gradient checks: these kernels are
// written to be right, deterministic and without limits of shape, not to be fast. f32 and bf16
// come here only when cuDNN refuses a shape. In all three convolutions a thread owns one element of
// the result, neighbouring threads neighbouring channels:
// - forward (n, oh, ow, o): the warp shares the pixel of x (a broadcast per load) and reads w at
//   32 rows; w is small and stays in L1/L2. Reads 2 K values per output against a minimum of
//   x + w + y once; a tile of x in shared memory would cut that by the tile size.
// - backward data (n, ih, iw, c): the warp shares dy's pixel and reads w along its last axis,
//   coalesced.
// - backward weights: a block of 32 input channels x 8 slices of the output pixels per (o, tap);
//   reads of x are coalesced, dy is a broadcast; the slices are added in order.
// Sums run per tap and then over taps, in T (f32 for bf16): the error grows with sqrt of the terms,
// not with their number.
#include "kernels/compute_type.h"
#include "kernels/cuda_conv2d.h"
#include "kernels/launch.cuh"

namespace ditto::kernels {
namespace {

constexpr int kThreads = 256;

struct Element {
  int64_t n, row, column, channel;
};
// Position of `index` in an NHWC array.
HD Element element_at(int64_t index, int64_t height, int64_t width, int64_t channels) {
  const int64_t channel = index % channels;
  index /= channels;
  const int64_t column = index % width;
  index /= width;
  return {index / height, index % height, column, channel};
}

template <class T>
__global__ void forward_kernel(Conv2dShape s, const T* x, const T* w, const T* bias, T* y) {
  using C = ComputeType<T>;
  const int64_t total = s.n * s.oh * s.ow * s.o, step = int64_t{gridDim.x} * blockDim.x;
  const int64_t ci = s.group_inputs();
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < total; i += step) {
    const Element at = element_at(i, s.oh, s.ow, s.o);
    const int64_t group = at.channel / s.group_outputs();
    C sum = bias ? widen(bias[at.channel]) : C{0};
    for (int64_t kh = 0; kh < s.kh; ++kh) {
      const int64_t ih = at.row * s.stride - s.padding + kh * s.dilation;
      if (ih < 0 || ih >= s.h) continue;
      for (int64_t kw = 0; kw < s.kw; ++kw) {
        const int64_t iw = at.column * s.stride - s.padding + kw * s.dilation;
        if (iw < 0 || iw >= s.w) continue;
        const T* pixel = x + ((at.n * s.h + ih) * s.w + iw) * s.c + group * ci;
        const T* weight = w + ((at.channel * s.kh + kh) * s.kw + kw) * ci;
        C partial = 0;
        for (int64_t c = 0; c < ci; ++c) partial += widen(pixel[c]) * widen(weight[c]);
        sum += partial;
      }
    }
    y[i] = narrow<T>(sum);
  }
}

template <class T>
__global__ void backward_data_kernel(Conv2dShape s, const T* dy, const T* w, T* dx) {
  using C = ComputeType<T>;
  const int64_t total = s.n * s.h * s.w * s.c, step = int64_t{gridDim.x} * blockDim.x;
  const int64_t ci = s.group_inputs(), co = s.group_outputs();
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < total; i += step) {
    const Element at = element_at(i, s.h, s.w, s.c);
    const int64_t group = at.channel / ci, within = at.channel % ci;
    C sum = 0;
    for (int64_t kh = 0; kh < s.kh; ++kh) {
      // The output pixel that saw this one through the tap, if there is one.
      const int64_t top = at.row + s.padding - kh * s.dilation;
      if (top < 0 || top % s.stride != 0 || top / s.stride >= s.oh) continue;
      for (int64_t kw = 0; kw < s.kw; ++kw) {
        const int64_t left = at.column + s.padding - kw * s.dilation;
        if (left < 0 || left % s.stride != 0 || left / s.stride >= s.ow) continue;
        const T* pixel = dy + ((at.n * s.oh + top / s.stride) * s.ow + left / s.stride) * s.o;
        C partial = 0;
        for (int64_t o = group * co; o < (group + 1) * co; ++o)
          partial += widen(pixel[o]) * widen(w[((o * s.kh + kh) * s.kw + kw) * ci + within]);
        sum += partial;
      }
    }
    dx[i] = narrow<T>(sum);
  }
}

constexpr int kLanes = 32, kSlices = 8;

// Block: (o, kh, kw) = blockIdx.x, 32 input channels of the group = blockIdx.y.
template <class T>
__global__ void backward_weights_kernel(Conv2dShape s, const T* dy, const T* x, T* dw) {
  using C = ComputeType<T>;
  SHARED_ARRAY(C, partial, kSlices * kLanes);
  const int64_t ci = s.group_inputs();
  const int64_t o = blockIdx.x / (s.kh * s.kw), tap = blockIdx.x % (s.kh * s.kw);
  const int64_t kh = tap / s.kw, kw = tap % s.kw, group = o / s.group_outputs();
  const int64_t c = int64_t{blockIdx.y} * kLanes + threadIdx.x;
  C sum = 0;
  if (c < ci)
    for (int64_t row = threadIdx.y; row < s.n * s.oh; row += kSlices) {
      const int64_t image = row / s.oh, ih = row % s.oh * s.stride - s.padding + kh * s.dilation;
      if (ih < 0 || ih >= s.h) continue;
      C row_sum = 0;
      for (int64_t ow = 0; ow < s.ow; ++ow) {
        const int64_t iw = ow * s.stride - s.padding + kw * s.dilation;
        if (iw < 0 || iw >= s.w) continue;
        row_sum += widen(dy[(row * s.ow + ow) * s.o + o]) *
                   widen(x[((image * s.h + ih) * s.w + iw) * s.c + group * ci + c]);
      }
      sum += row_sum;
    }
  partial[threadIdx.y * kLanes + threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || c >= ci) return;
  for (int slice = 1; slice < kSlices; ++slice) sum += partial[slice * kLanes + threadIdx.x];
  dw[(o * s.kh * s.kw + tap) * ci + c] = narrow<T>(sum);
}

// Blocks for `count` elements, with a loop in the kernel for what does not fit a few waves.
int64_t blocks_for(const CudaContext& ctx, int64_t count) {
  const int64_t most = int64_t{ctx.multiprocessors()} * 32;
  const int64_t blocks = divide_up(count, kThreads);
  return blocks < most ? blocks : most;
}

}  // namespace

template <class T>
void conv2d_forward_direct(CudaContext& ctx, const Conv2dShape& s, const T* x, const T* w,
                           const T* bias, T* y) {
  launch(ctx, "conv2d_forward", forward_kernel<T>,
         {.grid = blocks_for(ctx, s.n * s.oh * s.ow * s.o), .block = kThreads}, s, x, w, bias, y);
}

template <class T>
void conv2d_backward_data_direct(CudaContext& ctx, const Conv2dShape& s, const T* dy, const T* w,
                                 T* dx) {
  launch(ctx, "conv2d_backward_data", backward_data_kernel<T>,
         {.grid = blocks_for(ctx, s.n * s.h * s.w * s.c), .block = kThreads}, s, dy, w, dx);
}

template <class T>
void conv2d_backward_weights_direct(CudaContext& ctx, const Conv2dShape& s, const T* dy, const T* x,
                                    T* dw) {
  launch(ctx, "conv2d_backward_weights", backward_weights_kernel<T>,
         {.grid = {s.o * s.kh * s.kw, divide_up(s.group_inputs(), kLanes)},
          .block = {kLanes, kSlices}},
         s, dy, x, dw);
}

template void conv2d_forward_direct(CudaContext&, const Conv2dShape&, const float*, const float*,
                                    const float*, float*);
template void conv2d_forward_direct(CudaContext&, const Conv2dShape&, const double*, const double*,
                                    const double*, double*);
template void conv2d_forward_direct(CudaContext&, const Conv2dShape&, const BFloat16*,
                                    const BFloat16*, const BFloat16*, BFloat16*);
template void conv2d_backward_data_direct(CudaContext&, const Conv2dShape&, const float*,
                                          const float*, float*);
template void conv2d_backward_data_direct(CudaContext&, const Conv2dShape&, const double*,
                                          const double*, double*);
template void conv2d_backward_data_direct(CudaContext&, const Conv2dShape&, const BFloat16*,
                                          const BFloat16*, BFloat16*);
template void conv2d_backward_weights_direct(CudaContext&, const Conv2dShape&, const float*,
                                             const float*, float*);
template void conv2d_backward_weights_direct(CudaContext&, const Conv2dShape&, const double*,
                                             const double*, double*);
template void conv2d_backward_weights_direct(CudaContext&, const Conv2dShape&, const BFloat16*,
                                             const BFloat16*, BFloat16*);
}  // namespace ditto::kernels
