// Plan. Every kernel is a stream: a thread per output (forward: a window, backward: a pixel) and
// pack of channels, neighbouring threads on neighbouring channels and then pixels, so that warps
// read and write whole lines.
//
// Bytes against the minimum: forward reads a pixel once per window that covers it, that is once
// where windows do not overlap (2x2) and (kernel / stride)^2 times where they do; the copies come
// from the L1 cache, because neighbouring windows belong to neighbouring threads. Backward gathers:
// each pixel asks the windows that cover it, so dx is written once, without atomics and in a fixed
// order; with 2x2 windows four pixels read each dy and index, again out of the cache. Considered:
// scattering dy to the winners (fewer reads, but dx must be cleared first, and overlapping windows
// need atomics, whose order changes the result).
//
// Images in bf16 (T) are compared and added in f32 (C). Their maxima go four channels to a thread,
// 8 bytes, so that the positions, 4 bytes each, make one access of 16.
//
// The mean of whole images is a column sum (kernels/reduce.cu).
#include "kernels/launch.cuh"
#include "kernels/pool2d_shape.h"
#include "kernels/reduce.h"
#include "kernels/vector.cuh"

namespace ditto::kernels {
namespace {

constexpr int kThreads = 256;

// The pixel and first channel of a thread, among `height` x `width` pixels of each image.
struct Place {
  int64_t image, h, w, channel;
  template <int P>
  __device__ static Place at(int64_t i, int64_t height, int64_t width, int64_t channels) {
    const int64_t units = channels / P, pixel = i / units, row = pixel / width;
    return {row / height, row % height, pixel % width, i % units * P};
  }
};

__device__ int64_t thread_number() { return int64_t{blockIdx.x} * kThreads + threadIdx.x; }

template <class T, int P, bool kIndex>
__global__ void __launch_bounds__(kThreads)
    max_forward_kernel(const T* x, T* y, int32_t* index, Pool s, int64_t threads) {
  const int64_t i = thread_number();
  if (i >= threads) return;
  const Place out = Place::at<P>(i, s.oh, s.ow, s.c);
  const PoolRange rows = pixels_of(s, out.h, s.h), columns = pixels_of(s, out.w, s.w);
  x += out.image * s.h * s.w * s.c + out.channel;
  const int64_t first = rows.begin * s.w + columns.begin;
  Pack<ComputeType<T>, P> best = load_pack<P>(x + first * s.c);
  Pack<int32_t, P> where;
  for (int k = 0; k < P; ++k) where.v[k] = static_cast<int32_t>(first);
  for (int64_t h = rows.begin; h < rows.end; ++h)
    for (int64_t w = columns.begin; w < columns.end; ++w) {
      const int64_t position = h * s.w + w;
      if (position == first) continue;
      const Pack<ComputeType<T>, P> pixel = load_pack<P>(x + position * s.c);
      for (int k = 0; k < P; ++k) {
        // A NaN is larger than anything; of several the last one stays, as on the CPU.
        const bool larger = pixel.v[k] > best.v[k] || pixel.v[k] != pixel.v[k];
        best.v[k] = larger ? pixel.v[k] : best.v[k];
        where.v[k] = larger ? static_cast<int32_t>(position) : where.v[k];
      }
    }
  store_pack(y + i * P, best);
  if constexpr (kIndex) store_pack(index + i * P, where);
}

template <class T, int P>
__global__ void __launch_bounds__(kThreads)
    max_backward_kernel(const T* dy, const int32_t* index, T* dx, Pool s, int64_t threads) {
  using C = ComputeType<T>;
  const int64_t i = thread_number();
  if (i >= threads) return;
  const Place in = Place::at<P>(i, s.h, s.w, s.c);
  const PoolRange rows = windows_of(s, in.h, s.oh), columns = windows_of(s, in.w, s.ow);
  const auto position = static_cast<int32_t>(in.h * s.w + in.w);
  Pack<C, P> sum{};
  for (int64_t oh = rows.begin; oh < rows.end; ++oh)
#pragma unroll 1  // a window or two; unrolled, the barrier registers of the branches spill
    for (int64_t ow = columns.begin; ow < columns.end; ++ow) {
      const int64_t at = ((in.image * s.oh + oh) * s.ow + ow) * s.c + in.channel;
      const Pack<int32_t, P> winner = load_pack<P>(index + at);
      const Pack<C, P> g = load_pack<P>(dy + at);
      for (int k = 0; k < P; ++k) sum.v[k] += winner.v[k] == position ? g.v[k] : C(0);
    }
  store_pack(dx + i * P, sum);
}

// Bounds of one block a multiprocessor, here and below: aiming at more, ptxas spills (forward on
// sm_80 to sm_89, backward on sm_120).
template <class T, int P>
__global__ void __launch_bounds__(kThreads, 1)
    avg_forward_kernel(const T* x, T* y, Pool s, int64_t threads) {
  using C = ComputeType<T>;
  const int64_t i = thread_number();
  if (i >= threads) return;
  const Place out = Place::at<P>(i, s.oh, s.ow, s.c);
  const PoolRange rows = pixels_of(s, out.h, s.h), columns = pixels_of(s, out.w, s.w);
  x += out.image * s.h * s.w * s.c + out.channel;
  Pack<C, P> sum{};
  for (int64_t h = rows.begin; h < rows.end; ++h)
    for (int64_t w = columns.begin; w < columns.end; ++w) {
      const Pack<C, P> pixel = load_pack<P>(x + (h * s.w + w) * s.c);
      for (int k = 0; k < P; ++k) sum.v[k] += pixel.v[k];
    }
  const C count = static_cast<C>(divisor(s, out.h, out.w));
  for (int k = 0; k < P; ++k) sum.v[k] /= count;
  store_pack(y + i * P, sum);
}

template <class T, int P>
__global__ void __launch_bounds__(kThreads, 1)
    avg_backward_kernel(const T* dy, T* dx, Pool s, int64_t threads) {
  using C = ComputeType<T>;
  const int64_t i = thread_number();
  if (i >= threads) return;
  const Place in = Place::at<P>(i, s.h, s.w, s.c);
  const PoolRange rows = windows_of(s, in.h, s.oh), columns = windows_of(s, in.w, s.ow);
  Pack<C, P> sum{};
  for (int64_t oh = rows.begin; oh < rows.end; ++oh)
    for (int64_t ow = columns.begin; ow < columns.end; ++ow) {
      const Pack<C, P> g =
          load_pack<P>(dy + ((in.image * s.oh + oh) * s.ow + ow) * s.c + in.channel);
      const C scale = static_cast<C>(1 / divisor(s, oh, ow));
      for (int k = 0; k < P; ++k) sum.v[k] += scale * g.v[k];
    }
  store_pack(dx + i * P, sum);
}

// dx (images, pixels, C) = scale * dy (images, C).
template <class T, int P>
__global__ void __launch_bounds__(kThreads)
    spread_kernel(const T* dy, T* dx, int64_t pixels, int64_t channels, ComputeType<T> scale,
                  int64_t threads) {
  const int64_t i = thread_number();
  if (i >= threads) return;
  const int64_t units = channels / P;
  Pack<ComputeType<T>, P> g = load_pack<P>(dy + i / (units * pixels) * channels + i % units * P);
  for (int k = 0; k < P; ++k) g.v[k] *= scale;
  store_pack(dx + i * P, g);
}

// The pack of kernels that also read or write positions.
template <class T>
using PositionPack = std::conditional_t<sizeof(T) < sizeof(int32_t), int32_t, T>;

template <class T, class... P>
bool wide(int64_t channels, const P*... pointers) {
  return channels % kPack<T> == 0 && aligned16(pointers...);
}

}  // namespace

void max_pool2d_forward(CudaContext& ctx, const View& x, const View& y, const View& index,
                        const Pool2dParams& p) {
  const Pool s = checked_pool(x, y, p, DeviceType::Cuda);
  if (index.defined()) check_pool_index(index, y, s);
  on_float_or_bf16(x.dtype, "pool2d", [&]<class T>(T) {
    const T* from = x.as<T>();
    T* to = y.as<T>();
    int32_t* where = index.defined() ? index.as<int32_t>() : nullptr;
    with_pack<PositionPack<T>>(wide<PositionPack<T>>(s.c, from, to, where), [&](auto pack) {
      constexpr int P = decltype(pack)::value;
      const int64_t threads = y.numel() / P;
      launch(ctx, "max_pool2d_forward",
             where ? max_forward_kernel<T, P, true> : max_forward_kernel<T, P, false>,
             {.grid = divide_up(threads, kThreads), .block = kThreads}, from, to, where, s,
             threads);
    });
  });
}

void max_pool2d_backward(CudaContext& ctx, const View& dy, const View& index, const View& dx,
                         const Pool2dParams& p) {
  const Pool s = checked_pool(dx, dy, p, DeviceType::Cuda);
  check_pool_index(index, dy, s);
  on_float_or_bf16(dx.dtype, "pool2d", [&]<class T>(T) {
    const T* g = dy.as<T>();
    const int32_t* where = index.as<int32_t>();
    T* to = dx.as<T>();
    with_pack<PositionPack<T>>(wide<PositionPack<T>>(s.c, g, where, to), [&](auto pack) {
      constexpr int P = decltype(pack)::value;
      const int64_t threads = dx.numel() / P;
      launch(ctx, "max_pool2d_backward", max_backward_kernel<T, P>,
             {.grid = divide_up(threads, kThreads), .block = kThreads}, g, where, to, s, threads);
    });
  });
}

void avg_pool2d_forward(CudaContext& ctx, const View& x, const View& y, const Pool2dParams& p) {
  const Pool s = checked_pool(x, y, p, DeviceType::Cuda);
  on_float_or_bf16(x.dtype, "pool2d", [&]<class T>(T) {
    const T* from = x.as<T>();
    T* to = y.as<T>();
    with_pack<T>(wide<T>(s.c, from, to), [&](auto pack) {
      constexpr int P = decltype(pack)::value;
      const int64_t threads = y.numel() / P;
      launch(ctx, "avg_pool2d_forward", avg_forward_kernel<T, P>,
             {.grid = divide_up(threads, kThreads), .block = kThreads}, from, to, s, threads);
    });
  });
}

void avg_pool2d_backward(CudaContext& ctx, const View& dy, const View& dx, const Pool2dParams& p) {
  const Pool s = checked_pool(dx, dy, p, DeviceType::Cuda);
  on_float_or_bf16(dx.dtype, "pool2d", [&]<class T>(T) {
    const T* g = dy.as<T>();
    T* to = dx.as<T>();
    with_pack<T>(wide<T>(s.c, g, to), [&](auto pack) {
      constexpr int P = decltype(pack)::value;
      const int64_t threads = dx.numel() / P;
      launch(ctx, "avg_pool2d_backward", avg_backward_kernel<T, P>,
             {.grid = divide_up(threads, kThreads), .block = kThreads}, g, to, s, threads);
    });
  });
}

void global_avg_pool2d_forward(CudaContext& ctx, const View& x, const View& y) {
  check_global_pool(x, y, DeviceType::Cuda);
  const int64_t pixels = x.shape[1] * x.shape[2];
  reduce_sum(ctx, x, y, {x.shape[0], pixels, x.shape[3]}, 1.0 / static_cast<double>(pixels));
}

void global_avg_pool2d_backward(CudaContext& ctx, const View& dy, const View& dx) {
  check_global_pool(dx, dy, DeviceType::Cuda);
  const int64_t pixels = dx.shape[1] * dx.shape[2], channels = dx.shape[3];
  on_float_or_bf16(dx.dtype, "pool2d", [&]<class T>(T) {
    const T* g = dy.as<T>();
    T* to = dx.as<T>();
    const auto scale = static_cast<ComputeType<T>>(1.0 / static_cast<double>(pixels));
    with_pack<T>(wide<T>(channels, g, to), [&](auto pack) {
      constexpr int P = decltype(pack)::value;
      const int64_t threads = dx.numel() / P;
      launch(ctx, "global_avg_pool2d_backward", spread_kernel<T, P>,
             {.grid = divide_up(threads, kThreads), .block = kThreads}, g, to, pixels, channels,
             scale, threads);
    });
  });
}

}  // namespace ditto::kernels
