// Plan. A block per row of a tile of squared distances, which the L2 cache holds. k passes: each
// finds the smallest pair (distance, row number) above the last one found, so nothing is marked or
// sorted; k is small. Distances and numbers are compared as doubles, which hold both exactly.
//
// Least bytes: x once and n k numbers. Moved: x once per tile of rows (cuBLAS), the tile written
// and read k times, from the cache. Considered: one pass that keeps k candidates per thread (k n /
// 256 numbers in registers or shared memory, and a merge; k is not known when compiling).
#include "kernels/nearest_rows.h"

#include "kernels/launch.cuh"
#include "kernels/pair_loss_tiles.h"
#include "kernels/warp.cuh"

namespace ditto::kernels {
namespace {

constexpr int kThreads = 256;

template <class T>
__global__ void __launch_bounds__(kThreads, 1)  // fewer registers spill on sm_100
    nearest_kernel(const T* tile, int64_t first, int64_t columns, int64_t k, int64_t* index) {
  SHARED_ARRAY(double, scratch, kWarp);
  const int64_t i = first + blockIdx.x;
  const T* s = tile + blockIdx.x * columns;
  double last = -1, last_number = -1;
  for (int64_t found = 0; found < k; ++found) {
    double best = -INFINITY;  // of the negated distances
    for (int64_t j = threadIdx.x; j < columns; j += kThreads) {
      const double d = s[j];
      const bool later = d > last || (d == last && static_cast<double>(j) > last_number);
      if (j != i && later) best = fmax(best, -d);
    }
    best = block_max(best, scratch);
    double number = -INFINITY;  // negated
    for (int64_t j = threadIdx.x; j < columns; j += kThreads) {
      const bool later = last < -best || static_cast<double>(j) > last_number;
      if (j != i && later && static_cast<double>(s[j]) == -best)
        number = fmax(number, -static_cast<double>(j));
    }
    number = block_max(number, scratch);
    last = -best;
    last_number = -number;
    // NaN distances are never found: the row itself stands for them.
    if (threadIdx.x == 0)
      index[i * k + found] = number > -INFINITY ? static_cast<int64_t>(-number) : i;
  }
}

}  // namespace

void nearest_rows(CudaContext& ctx, const View& x, const View& index) {
  on_float(x.dtype, "nearest_rows", [&]<class T>(T) {
    for_tiles(ctx, x, x, true, [&](int64_t first, int64_t count, const View& tile) {
      launch(ctx, "nearest_rows", nearest_kernel<T>, {.grid = count, .block = kThreads},
             tile.as<T>(), first, tile.shape[1], index.shape[1], index.as<int64_t>());
    });
  });
}

}  // namespace ditto::kernels
