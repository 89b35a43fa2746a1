// Random fills on the device.
//
// Plan. Write-only: each element is written once and nothing is read. A thread makes one Philox
// block, which is four elements, and writes them in one access of 16 bytes (two for f64) where it
// can. The numbers are those of random.cpp: counter and key depend on the place alone. Uniform and
// normal values are computed in double like there, so they differ at most by the rounding of log,
// sin and cos; masks are compared in the same arithmetic and are equal. Considered: f32 arithmetic,
// several times faster on GPUs with few f64 units; weights are drawn once, and masks use no
// mathematical functions.
#include "core/graph_capture.h"
#include "kernels/launch.cuh"
#include "kernels/random.h"
#include "kernels/vector.cuh"

namespace ditto::kernels {
namespace {

constexpr int kBlock = 256;

__device__ double unit(uint32_t word) { return (word >> 8) * 0x1p-24; }

struct Uniform {
  double low, high;
  __device__ void operator()(const PhiloxWords& words, double* values) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) values[i] = low + (high - low) * unit(words.word[i]);
  }
};

struct Normal {
  double mean, stddev;
  __device__ void operator()(const PhiloxWords& words, double* values) const {
    constexpr double kTwoPi = 6.283185307179586;
#pragma unroll
    for (int i = 0; i < 4; i += 2) {
      const double radius = stddev * sqrt(-2 * log((words.word[i] + 1.0) * 0x1p-32));
      const double angle = kTwoPi * (words.word[i + 1] * 0x1p-32);
      values[i] = mean + radius * cos(angle);
      values[i + 1] = mean + radius * sin(angle);
    }
  }
};

struct Mask {
  double p, keep;
  __device__ void operator()(const PhiloxWords& words, double* values) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) values[i] = unit(words.word[i]) < p ? 0.0 : keep;
  }
};

template <class T, class Make>
__global__ void __launch_bounds__(kBlock)
    random_kernel(Make make, RandomStream stream, int64_t n, bool aligned, T* y) {
  const int64_t block = blockIdx.x * static_cast<int64_t>(kBlock) + threadIdx.x, first = 4 * block;
  if (first >= n) return;
  const uint32_t sample =
      stream.sample_at ? static_cast<uint32_t>(*stream.sample_at) : stream.sample;
  const PhiloxWords words = philox({{static_cast<uint32_t>(block), sample, stream.epoch << 8,
                                     static_cast<uint32_t>(stream.purpose)}},
                                   stream.seed);
  double values[4];
  make(words, values);
  Pack<ComputeType<T>, 4> out;
#pragma unroll
  for (int i = 0; i < 4; ++i) out.v[i] = static_cast<ComputeType<T>>(values[i]);
  if (aligned && first + 4 <= n) {
    store_pack(y + first, out);
    return;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i)
    if (first + i < n) y[first + i] = narrow<T>(out.v[i]);
}

template <class T, class Make>
void fill_blocks(CudaContext& ctx, const RandomStream& stream, const View& y, const char* op,
                 const Make& make) {
  if (!stream.sample_at)
    refuse_capture(op, "every replay would draw the same numbers; nn::Dropout is made for it");
  const int64_t n = y.numel();
  check(n <= int64_t{4} * UINT32_MAX, "[random] too many elements for one stream:", n);
  T* to = y.as<T>();
  launch(ctx, op, random_kernel<T, Make>,
         {.grid = divide_up(divide_up(n, 4), kBlock), .block = kBlock}, make, stream, n,
         aligned16(to), to);
}

}  // namespace

void fill_uniform(CudaContext& ctx, const RandomStream& stream, double low, double high,
                  const View& y) {
  on_float(y.dtype, "uniform", [&]<class T>(T) {
    fill_blocks<T>(ctx, stream, y, "uniform", Uniform{low, high});
  });
}

void fill_normal(CudaContext& ctx, const RandomStream& stream, double mean, double stddev,
                 const View& y) {
  on_float(y.dtype, "normal", [&]<class T>(T) {
    fill_blocks<T>(ctx, stream, y, "normal", Normal{mean, stddev});
  });
}

void fill_dropout_mask(CudaContext& ctx, const RandomStream& stream, double p, const View& mask) {
  on_float_or_bf16(mask.dtype, "dropout", [&]<class T>(T) {
    fill_blocks<T>(ctx, stream, mask, "dropout", Mask{p, p < 1 ? 1 / (1 - p) : 0.0});
  });
}

}  // namespace ditto::kernels
