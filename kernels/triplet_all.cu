// Plan. A block per anchor of a tile of squared distances, which the L2 cache holds: they become
// distances in place, then every thread takes negatives of its own and walks through the positives,
// which all threads read together. That is a step of a few instructions per triplet where the CPU
// sorts: no order has to be found or kept, and threads do not branch apart. Backward: the same for
// the number of positives that each negative meets, and a warp per positive for the number of its
// negatives. The coefficients go to a tile of their own, since both need all distances. Sums over
// the columns of C add up from tile to tile.
//
// Least bytes: x and the results once. Moved: x once per tile (cuBLAS), and the tile written and
// read a few times, from the cache; large classes are bound by the triplets. Considered: sorting an
// anchor's positives as the CPU does (shared memory as large as the class, and searches that branch
// apart).
#include <optional>

#include "kernels/launch.cuh"
#include "kernels/pair_loss_tiles.h"
#include "kernels/triplet_all.h"
#include "kernels/warp.cuh"

namespace ditto::kernels {
namespace {

constexpr int kThreads = 256;

// One anchor: its distances, and where its class is.
template <class T>
struct Anchor {
  T* s;
  int64_t i, first, end, columns;
  T poison = 0;  // NaN where a distance is

  __device__ Anchor(const TripletAll& math, T* tile, const int64_t* classes, int64_t first_anchor,
                    int64_t columns, T* scratch)
      : s(tile + blockIdx.x * columns),
        i(first_anchor + blockIdx.x),
        first(classes[i]),
        end(classes[columns + i]),
        columns(columns) {
    for (int64_t j = threadIdx.x; j < columns; j += kThreads) {
      s[j] = math.distance(s[j]);
      if (s[j] != s[j]) poison = s[j];
    }
    poison = block_sum(poison, scratch);  // and waits for all distances
  }
  __device__ int64_t negatives() const { return columns - (end - first); }
  __device__ int64_t negative(int64_t k) const { return k < first ? k : k + (end - first); }
};

template <class T>
__global__ void __launch_bounds__(kThreads, 1)  // fewer registers spill on sm_80
    triplet_forward_kernel(TripletAll math, T* tile, const int64_t* classes, int64_t first_anchor,
                           int64_t columns, T* loss, T* active) {
  SHARED_ARRAY(T, scratch, kWarp);
  const Anchor<T> a(math, tile, classes, first_anchor, columns, scratch);
  T sum = 0, number = 0;
  for (int64_t k = threadIdx.x; k < a.negatives(); k += kThreads) {
    const T d = a.s[a.negative(k)];
    for (int64_t p = a.first; p < a.end; ++p) {
      const T reach = math.reach(a.s[p]);
      if (p == a.i || !(reach > d)) continue;
      sum += reach - d;
      number += T(1);
    }
  }
  sum = block_sum(sum, scratch);
  number = block_sum(number, scratch);
  if (threadIdx.x != 0) return;
  loss[a.i] = sum + a.poison;
  active[a.i] = number + a.poison;
}

// c: a tile for the coefficients; row_sums (n).
template <class T>
__global__ void __launch_bounds__(kThreads, 1)  // fewer registers spill on sm_80
    triplet_coefficient_kernel(TripletAll math, T* tile, const int64_t* classes,
                               int64_t first_anchor, int64_t columns, const T* g, T* c,
                               T* row_sums) {
  SHARED_ARRAY(T, scratch, kWarp);
  const Anchor<T> a(math, tile, classes, first_anchor, columns, scratch);
  T* out = c + blockIdx.x * columns;
  const T scale = g[a.i];
  T total = 0;
  for (int64_t k = threadIdx.x; k < a.negatives(); k += kThreads) {
    const int64_t j = a.negative(k);
    const T d = a.s[j];
    T number = 0;
    for (int64_t p = a.first; p < a.end; ++p)
      if (p != a.i && math.reach(a.s[p]) > d) number += T(1);
    out[j] = -scale * number * math.slope(d) + a.poison;
    total += out[j];
  }
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int64_t p = a.first + threadIdx.x / kWarp; p < a.end; p += kThreads / kWarp) {
    const T reach = math.reach(a.s[p]);
    T number = 0;
    if (p != a.i)
      for (int64_t k = lane; k < a.negatives(); k += kWarp)
        if (reach > a.s[a.negative(k)]) number += T(1);
    number = warp_sum(number);
    if (lane != 0) continue;
    out[p] = scale * number * math.slope(a.s[p]) + a.poison;
    total += out[p];
  }
  total = block_sum(total, scratch);
  if (threadIdx.x == 0) row_sums[a.i] = total;
}

// Of the rows of C so far; `before`: there were some.
template <class T>
__global__ void __launch_bounds__(kThreads)
    triplet_column_sums_kernel(const T* c, int64_t count, int64_t columns, bool before, T* sums) {
  const int64_t j = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (j >= columns) return;
  T total = 0;
  for (int64_t r = 0; r < count; ++r) total += c[r * columns + j];
  sums[j] = before ? sums[j] + total : total;
}

// d|x - y|^2/dx = 2 (x - y): the part of x, from the sums of C's rows and of its columns.
template <class T>
__global__ void __launch_bounds__(kThreads)
    triplet_own_part_kernel(const T* row_sums, const T* column_sums, const T* x, T* dx,
                            int64_t numel, int64_t d) {
  const int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (index < numel) dx[index] += 2 * (row_sums[index / d] + column_sums[index / d]) * x[index];
}

template <class T>
void backward(CudaContext& ctx, const TripletAll& math, const View& x, const View& classes,
              const View& g, const View& dx) {
  const int64_t rows = x.shape[0], d = x.shape[1];
  if (rows == 0) return;
  const Storage sums(2 * rows * int64_t{sizeof(T)}, x.device);
  T *row_sums = static_cast<T*>(sums.data()), *column_sums = row_sums + rows;
  std::optional<Storage> memory;
  for_tiles(ctx, x, x, true, [&](int64_t first, int64_t count, const View& tile) {
    const int64_t columns = tile.shape[1];
    const bool before = first > 0;
    if (!before) memory.emplace(count * columns * int64_t{sizeof(T)}, x.device);
    View c = tile;
    c.data = memory->data();
    launch(ctx, "triplet_all_coefficients", triplet_coefficient_kernel<T>,
           {.grid = count, .block = kThreads}, math, tile.as<T>(), classes.as<int64_t>(), first,
           columns, g.as<T>(), c.as<T>(), row_sums);
    launch(ctx, "triplet_column_sums", triplet_column_sums_kernel<T>,
           {.grid = divide_up(columns, kThreads), .block = kThreads}, c.as<T>(), count, columns,
           before, column_sums);
    matmul(ctx, c, rows_of(x, first, count), dx,
           {.transpose_a = true, .alpha = -2, .beta = before ? 1.0 : 0.0});
    matmul(ctx, c, x, rows_of(dx, first, count), {.alpha = -2, .beta = 1});
  });
  launch(ctx, "triplet_own_part", triplet_own_part_kernel<T>,
         {.grid = divide_up(rows * d, kThreads), .block = kThreads}, row_sums, column_sums,
         x.as<T>(), dx.as<T>(), rows * d, d);
}

}  // namespace

void triplet_all_forward(CudaContext& ctx, const TripletAll& math, const View& x,
                         const View& classes, const View& loss, const View& active) {
  on_float(x.dtype, "triplet_all", [&]<class T>(T) {
    for_tiles(ctx, x, x, true, [&](int64_t first, int64_t count, const View& tile) {
      launch(ctx, "triplet_all_forward", triplet_forward_kernel<T>,
             {.grid = count, .block = kThreads}, math, tile.as<T>(), classes.as<int64_t>(), first,
             tile.shape[1], loss.as<T>(), active.as<T>());
    });
  });
}

void triplet_all_backward(CudaContext& ctx, const TripletAll& math, const View& x,
                          const View& classes, const View& g, const View& dx) {
  on_float(x.dtype, "triplet_all", [&]<class T>(T) { backward<T>(ctx, math, x, classes, g, dx); });
}

}  // namespace ditto::kernels
