// Plan. A sum reads every element once and writes little: the bound is the bytes of x.
//
//  - Columns (inner > 1; the channels of NHWC): kernels/columns.cuh, sums in registers, then over
//    the block through shared memory.
//  - Rows (inner == 1): a warp per row, or a block per row or part of a row when it is long;
//  16-byte
//    loads between the row's first and last 16-byte boundary, so any row length is read in packs.
//  - Few elements per output and many outputs (a broadcast gradient, the maximum over 10 classes):
//    one thread per output, which needs neither shuffles nor barriers. Neighbouring rows then share
//    the lines that a warp fetches; a single access uses few bytes of each sector and the cache
//    serves the rest.
//
// Long reductions are cut into pieces whose partial sums go to the workspace, in f32 for bf16, and
// are summed by the same kernels. The number of pieces depends on the sizes alone, and every sum is
// a fixed tree: deterministic, on every device, and an f32 sum has a depth of hundreds, not
// millions. Considered: atomic additions of the pieces (one launch fewer, but the order of arrival
// would show in the result).
//
// A maximum is needed on small matrices only (predictions): a thread per output, or a warp per row;
// one long row is one warp's work.
#include "kernels/columns.cuh"
#include "kernels/launch.cuh"
#include "kernels/reduce.h"
#include "kernels/vector.cuh"
#include "kernels/warp.cuh"

namespace ditto::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMostPieces = 512;
// Elements per output below which one thread does it all, if there are outputs for many threads.
constexpr int64_t kSerial = 32, kManyOutputs = 4096;

// The share of one thread among `threads` in the sum of x[0, n).
template <class T>
__device__ ComputeType<T> partial_sum(const T* x, int64_t n, int thread, int threads) {
  using C = ComputeType<T>;
  constexpr int P = kPack<T>;
  const auto past = static_cast<int>(reinterpret_cast<uintptr_t>(x) % 16 / sizeof(T));
  const int64_t head = min(n, static_cast<int64_t>((P - past) % P));
  C sum[P] = {};
  if (thread < head) sum[0] = widen(x[thread]);
  x += head;
  n -= head;
  for (int64_t i = thread; i < n / P; i += threads) {
    const Pack<C, P> pack = load_pack<P>(x + i * P);
    for (int k = 0; k < P; ++k) sum[k] += pack.v[k];
  }
  if (const int64_t tail = n / P * P + thread; tail < n) sum[0] += widen(x[tail]);
  C total = sum[0];
  for (int k = 1; k < P; ++k) total += sum[k];
  return total;
}

// y (rows, pieces) = scale * sums of the pieces of x (rows, length). A warp or a block per piece.
template <class From, class To, bool kByWarp>
__global__ void __launch_bounds__(kThreads)
    sum_rows_kernel(const From* x, To* y, int64_t length, int64_t pieces, int64_t piece_length,
                    int64_t outputs, ComputeType<From> scale) {
  using C = ComputeType<From>;
  SHARED_ARRAY(C, scratch, kWarp);
  constexpr int kGroup = kByWarp ? kWarp : kThreads;
  const int64_t output = (int64_t{blockIdx.x} * kThreads + threadIdx.x) / kGroup;
  const int thread = static_cast<int>(threadIdx.x) % kGroup;
  C sum = 0;
  if (output < outputs) {
    const int64_t begin = output % pieces * piece_length;
    const int64_t count = min(piece_length, length - begin);
    sum = partial_sum(x + output / pieces * length + begin, count, thread, kGroup);
  }
  if constexpr (kByWarp)
    sum = warp_sum(sum);
  else
    sum = block_sum(sum, scratch);
  if (thread == 0 && output < outputs) y[output] = narrow<To>(scale * sum);
}

// y (outer, pieces, inner) = scale * sums over the pieces of the rows of x (outer, reduce, inner).
// A bound of one block a multiprocessor: aiming at more, ptxas spills with eight columns of bf16.
template <class From, class To, int P>
__global__ void __launch_bounds__(kColumnThreads, 1)
    sum_columns_kernel(const From* x, To* y, ColumnPlan plan, ComputeType<From> scale) {
  using C = ComputeType<From>;
  SHARED_ARRAY(C, scratch, kColumnThreads * P);
  const int64_t per_matrix = plan.pieces * plan.tiles, outer = blockIdx.x / per_matrix;
  const ColumnPlace<P> place(plan, blockIdx.x % per_matrix);
  x += outer * plan.rows * plan.columns + place.column;
  C sums[1][P] = {};
  for (int64_t r = place.begin; r < place.end; r += plan.height) {
    const Pack<C, P> pack = load_pack<P>(x + r * plan.columns);
    for (int k = 0; k < P; ++k) sums[0][k] += pack.v[k];
  }
  sum_over_rows(plan, place, sums, scratch);
  if (place.y != 0 || !place.active) return;
  Pack<C, P> out;
  for (int k = 0; k < P; ++k) out.v[k] = scale * sums[0][k];
  store_pack(y + (outer * plan.pieces + place.piece) * plan.columns + place.column, out);
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    sum_serial_kernel(const T* x, T* y, ReduceSizes sizes, ComputeType<T> scale) {
  const int64_t output = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (output >= sizes.outer * sizes.inner) return;
  const T* column = x + output / sizes.inner * sizes.reduce * sizes.inner + output % sizes.inner;
  ComputeType<T> sum = 0;
  for (int64_t r = 0; r < sizes.reduce; ++r) sum += widen(column[r * sizes.inner]);
  y[output] = narrow<T>(scale * sum);
}

bool is_serial(const ReduceSizes& sizes) {
  return sizes.reduce <= kSerial && sizes.outer * sizes.inner >= kManyOutputs;
}

template <class T>
void sum(CudaContext& ctx, const T* x, T* y, const ReduceSizes& sizes, double scale) {
  const auto [outer, reduce, inner] = sizes;
  using C = ComputeType<T>;
  const C factor = static_cast<C>(scale);
  if (outer * inner == 0) return;
  if (is_serial(sizes)) {
    launch(ctx, "sum_serial", sum_serial_kernel<T>,
           {.grid = divide_up(outer * inner, kThreads), .block = kThreads}, x, y, sizes, factor);
    return;
  }
  if (inner == 1) {
    const bool by_warp = reduce <= 1024;
    // A piece is a multiple of what the block's threads read in one go.
    const int64_t step = kThreads * kPack<T>;
    int64_t pieces = 1, length = std::max<int64_t>(1, reduce);
    if (!by_warp) {
      pieces = std::clamp<int64_t>(reduce / (8 * step), 1, kMostPieces);
      length = ((reduce + pieces - 1) / pieces + step - 1) / step * step;
      pieces = (reduce + length - 1) / length;
    }
    if (pieces == 1) {
      const auto kernel = by_warp ? sum_rows_kernel<T, T, true> : sum_rows_kernel<T, T, false>;
      launch(ctx, "sum_rows", kernel,
             {.grid = divide_up(outer, by_warp ? kThreads / kWarp : 1), .block = kThreads}, x, y,
             reduce, pieces, length, outer, factor);
      return;
    }
    C* parts = static_cast<C*>(ctx.workspace(outer * pieces * int64_t{sizeof(C)}));
    launch(ctx, "sum_rows", sum_rows_kernel<T, C, false>,
           {.grid = outer * pieces, .block = kThreads}, x, parts, reduce, pieces, length,
           outer * pieces, C(1));
    launch(ctx, "sum_rows", sum_rows_kernel<C, T, true>,
           {.grid = divide_up(outer, kThreads / kWarp), .block = kThreads}, parts, y, pieces,
           int64_t{1}, pieces, outer, factor);
    return;
  }
  with_pack<T>(packable<T>(inner, inner, x, y), [&](auto pack) {
    constexpr int P = decltype(pack)::value;
    const int64_t most = std::clamp<int64_t>(kMostPieces / outer, 1, kMostPieces);
    const ColumnPlan plan(reduce, inner, inner, P, 4, most);
    const LaunchConfig config{.grid = outer * plan.blocks(), .block = kColumnThreads};
    if (plan.pieces == 1)
      return launch(ctx, "sum_columns", sum_columns_kernel<T, T, P>, config, x, y, plan, factor);
    C* parts = static_cast<C*>(ctx.workspace(outer * plan.pieces * inner * int64_t{sizeof(C)}));
    launch(ctx, "sum_columns", sum_columns_kernel<T, C, P>, config, x, parts, plan, C(1));
    constexpr int kLast = P == 1 ? 1 : kPack<C>;
    const ColumnPlan last(plan.pieces, inner, inner, kLast, 4, 1);
    launch(ctx, "sum_columns", sum_columns_kernel<C, T, kLast>,
           {.grid = outer * last.blocks(), .block = kColumnThreads}, parts, y, last, factor);
  });
}

// A candidate for the maximum. NaN beats every number, and the first of equals wins.
template <class T>
struct Best {
  T value;
  int64_t at;
  __device__ bool loses_to(T other, int64_t other_at) const {
    if (at < 0 || other_at < 0) return other_at >= 0;
    const bool nan = value != value, other_nan = other != other;
    if (nan || other_nan) return other_nan && (!nan || other_at < at);
    return other > value || (other == value && other_at < at);
  }
  __device__ void offer(T other, int64_t other_at) {
    if (loses_to(other, other_at)) value = other, at = other_at;
  }
};

// kByWarp: a warp per row of x (outer, reduce), inner == 1; else a thread per output.
template <class T, bool kByWarp>
__global__ void __launch_bounds__(kThreads)
    max_kernel(const T* x, T* y, int64_t* index, ReduceSizes sizes) {
  constexpr int kGroup = kByWarp ? kWarp : 1;
  const int64_t output = (int64_t{blockIdx.x} * kThreads + threadIdx.x) / kGroup;
  if (output >= sizes.outer * sizes.inner) return;  // whole groups
  const T* column = x + output / sizes.inner * sizes.reduce * sizes.inner + output % sizes.inner;
  const int lane = static_cast<int>(threadIdx.x) % kGroup;
  using C = ComputeType<T>;
  Best<C> best{C(0), -1};
  for (int64_t r = lane; r < sizes.reduce; r += kGroup)
    best.offer(widen(column[r * sizes.inner]), r);
  if constexpr (kByWarp) {
    for (int step = kWarp / 2; step > 0; step /= 2) {
      const C value = __shfl_xor_sync(kAllLanes, best.value, step);
      const int64_t at = __shfl_xor_sync(kAllLanes, best.at, step);
      best.offer(value, at);
    }
  }
  if (lane == 0) y[output] = narrow<T>(best.value), index[output] = best.at;
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    max_backward_kernel(const T* dy, const int64_t* index, T* dx, ReduceSizes sizes) {
  const int64_t output = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (output >= sizes.outer * sizes.inner) return;
  const int64_t row = output / sizes.inner * sizes.reduce + index[output];
  dx[row * sizes.inner + output % sizes.inner] = dy[output];
}

}  // namespace

void reduce_sum(CudaContext& ctx, const View& x, const View& y, ReduceSizes sizes, double scale) {
  on_float_or_bf16(x.dtype, "sum", [&]<class T>(T) {
    if (sizes.outer * sizes.reduce * sizes.inner > 0)
      sum(ctx, x.as<T>(), y.as<T>(), sizes, scale);
    else  // an empty sum is 0
      cuda_check(
          cudaMemsetAsync(y.as<T>(), 0, static_cast<size_t>(sizes.outer * sizes.inner) * sizeof(T),
                          ctx.stream()),
          "cudaMemsetAsync");
  });
}

void reduce_max(CudaContext& ctx, const View& x, const View& y, const View& index,
                ReduceSizes sizes) {
  check(sizes.reduce >= 1, "[max] cannot take the maximum of nothing: shape", x.shape);
  on_float_or_bf16(x.dtype, "max", [&]<class T>(T) {
    const bool by_warp = sizes.inner == 1 && !is_serial(sizes);
    const auto kernel = by_warp ? max_kernel<T, true> : max_kernel<T, false>;
    launch(ctx, "max", kernel,
           {.grid = divide_up(sizes.outer * sizes.inner, by_warp ? kThreads / kWarp : kThreads),
            .block = kThreads},
           x.as<T>(), y.as<T>(), index.as<int64_t>(), sizes);
  });
}

void reduce_max_backward(CudaContext& ctx, const View& dy, const View& index, const View& dx,
                         ReduceSizes sizes) {
  on_float_or_bf16(dy.dtype, "max", [&]<class T>(T) {
    const int64_t outputs = sizes.outer * sizes.inner;
    if (outputs * sizes.reduce == 0) return;
    cuda_check(
        cudaMemsetAsync(dx.as<T>(), 0, static_cast<size_t>(outputs * sizes.reduce) * sizeof(T),
                        ctx.stream()),
        "cudaMemsetAsync");
    launch(ctx, "max_backward", max_backward_kernel<T>,
           {.grid = divide_up(outputs, kThreads), .block = kThreads}, dy.as<T>(),
           index.as<int64_t>(), dx.as<T>(), sizes);
  });
}

}  // namespace ditto::kernels
