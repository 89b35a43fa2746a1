// Plan. The tile of similarities comes from cuBLAS and is at most pair_tile_bytes(), so it stays in
// the L2 cache: reading it several times costs little memory traffic. What must move is A and B,
// once per tile, and the gradients. Considered: the product and the row in one kernel (no tile at
// all, but cuBLAS' product by hand); the numbers of a row in registers between passes.
//
// Forward: one block per row of the tile. Each sum or maximum of the loss's formula is one pass of
// the block over its row (s and the ids of the columns, neighbouring threads on neighbouring
// columns), then a block reduction; all threads hold the result, so the formula is the same code
// as on the CPU. Whether a pair is positive is computed from the ids in every pass instead of being
// stored. The order of all sums is fixed.
//
// Backward: a coefficient replaces its similarity in place, one pass; then cuBLAS. Squared
// distances are made by blocks of 16 x 16 pairs with both points' coordinates in shared memory.
#include <algorithm>

#include "kernels/launch.cuh"
#include "kernels/pair_loss_tiles.h"
#include "kernels/warp.cuh"

namespace ditto::kernels {
namespace {

constexpr int kThreads = 256;  // of a block, at most
constexpr int kTile = 16;      // pairs of a block of distances, in either direction

template <class T>
struct DeviceRow {
  const T* s;
  const T* inputs;
  const PairIds& ids;
  int64_t i, columns, input_step;
  T* scratch;

  __device__ T input(int k) const { return inputs[k * input_step]; }

  template <class F>
  __device__ T sum(F f) const {
    T part = 0;
    for (int64_t j = threadIdx.x; j < columns; j += blockDim.x)
      part += f(s[j], static_cast<T>(ids.kind(i, j)));
    return block_sum(part, scratch);
  }
  template <class F>
  __device__ T max(F f) const {
    T top = -INFINITY;
    for (int64_t j = threadIdx.x; j < columns; j += blockDim.x)
      top = fmax(top, f(s[j], static_cast<T>(ids.kind(i, j))));
    return block_max(top, scratch);
  }
};

template <class T, class Math>
__global__ void __launch_bounds__(kThreads, 1)  // fewer registers spill on sm_120
    forward_kernel(Math math, const T* tile, PairIds ids, const T* inputs, int64_t first,
                   int64_t rows, int64_t columns, T* loss, T* valid, T* stats) {
  SHARED_ARRAY(T, scratch, kWarp);
  const int64_t i = first + blockIdx.x;
  const DeviceRow<T> row{tile + blockIdx.x * columns, inputs + i, ids, i, columns, rows, scratch};
  T numbers[Math::kStats] = {};
  const RowLoss<T> result = math.template forward<T>(row, numbers);
  if (threadIdx.x != 0) return;
  loss[i] = result.loss;
  valid[i] = result.valid ? T(1) : T(0);
  for (int k = 0; k < Math::kStats; ++k) stats[k * rows + i] = numbers[k];
}

// Numbers and upstream gradients of one side's losses; null: they are not differentiated here.
template <class T>
struct Role {
  const T *stats, *g;
  int64_t rows;
};

// sums (rows of the tile): of each row's coefficients; null where nobody asks.
template <class T, class Math>
__global__ void __launch_bounds__(kThreads)
    coefficient_kernel(Math math, T* tile, PairIds ids, Role<T> anchor, Role<T> others,
                       int64_t first, int64_t columns, T* sums) {
  SHARED_ARRAY(T, scratch, kWarp);
  const int64_t i = first + blockIdx.x;
  T* s = tile + blockIdx.x * columns;
  T own[Math::kStats] = {};
  const T own_g = anchor.g ? anchor.g[i] : T(0);
  if (anchor.g)
    for (int k = 0; k < Math::kStats; ++k) own[k] = anchor.stats[k * anchor.rows + i];
  T total = 0;
  for (int64_t j = threadIdx.x; j < columns; j += blockDim.x) {
    const T similarity = s[j], kind = static_cast<T>(ids.kind(i, j));
    T c = 0;
    if (anchor.g) c += own_g * math.template coefficient<T>(similarity, kind, own);
    if (others.g) {
      T numbers[Math::kStats];
      for (int k = 0; k < Math::kStats; ++k) numbers[k] = others.stats[k * others.rows + j];
      c += others.g[j] * math.template coefficient<T>(similarity, kind, numbers);
    }
    s[j] = c;
    total += c;
  }
  if (!sums) return;
  total = block_sum(total, scratch);
  if (threadIdx.x == 0) sums[blockIdx.x] = total;
}

template <class T>
__global__ void __launch_bounds__(kTile* kTile)
    distance_kernel(const T* x, const T* y, T* s, int64_t rows, int64_t columns, int64_t d) {
  SHARED_ARRAY(T, xs, kTile * (kTile + 1));
  SHARED_ARRAY(T, ys, kTile * (kTile + 1));
  const int64_t first_row = int64_t{blockIdx.y} * kTile, first_column = int64_t{blockIdx.x} * kTile;
  const int tx = static_cast<int>(threadIdx.x), ty = static_cast<int>(threadIdx.y);
  T sum = 0;
  for (int64_t c = 0; c < d; c += kTile) {
    const bool inside = c + tx < d;
    const int64_t row = first_row + ty, column = first_column + ty;
    xs[ty * (kTile + 1) + tx] = inside && row < rows ? x[row * d + c + tx] : T(0);
    ys[ty * (kTile + 1) + tx] = inside && column < columns ? y[column * d + c + tx] : T(0);
    __syncthreads();
    for (int k = 0; k < kTile; ++k) {
      const T difference = xs[ty * (kTile + 1) + k] - ys[tx * (kTile + 1) + k];
      sum += difference * difference;
    }
    __syncthreads();
  }
  if (first_row + ty < rows && first_column + tx < columns)
    s[(first_row + ty) * columns + first_column + tx] = sum;
}

// out += 2 sums x, row by row.
template <class T>
__global__ void __launch_bounds__(kThreads)
    add_scaled_rows_kernel(const T* sums, const T* x, T* out, int64_t count, int64_t d) {
  const int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (index < count) out[index] += 2 * sums[index / d] * x[index];
}

// No more warps than a row has columns for.
unsigned row_threads(int64_t columns) {
  return static_cast<unsigned>(
      std::clamp<int64_t>(divide_up(columns, kWarp) * kWarp, kWarp, kThreads));
}

template <class T, class Math>
void forward(CudaContext& ctx, const Math& math, const PairProblem& p, const View& loss,
             const View& valid, const View& stats) {
  const PairIds ids = pair_ids(p);
  const T* inputs = p.inputs.defined() ? p.inputs.as<T>() : nullptr;
  for_tiles(ctx, p.a, p.b.defined() ? p.b : p.a, p.distance,
            [&](int64_t first, int64_t count, const View& tile) {
              launch(ctx, "pair_loss_forward", forward_kernel<T, Math>,
                     {.grid = count, .block = row_threads(tile.shape[1])}, math, tile.as<T>(), ids,
                     inputs, first, p.a.shape[0], tile.shape[1], loss.as<T>(), valid.as<T>(),
                     stats.as<T>());
            });
}

// dx of S = x y^T: `own` holds the losses of the rows of x, `others` those of y.
template <class T, class Math>
void gradient(CudaContext& ctx, const Math& math, const PairIds& ids, bool distance, const View& x,
              const View& y, const Role<T>& own, const Role<T>& others, const View& dx) {
  const int64_t d = x.shape[1];
  for_tiles(ctx, x, y, distance, [&](int64_t first, int64_t count, const View& tile) {
    const Storage memory(distance ? count * int64_t{sizeof(T)} : 0, x.device);
    T* sums = distance ? static_cast<T*>(memory.data()) : nullptr;
    launch(ctx, "pair_loss_coefficients", coefficient_kernel<T, Math>,
           {.grid = count, .block = row_threads(tile.shape[1])}, math, tile.as<T>(), ids, own,
           others, first, tile.shape[1], sums);
    const View part = rows_of(dx, first, count);
    matmul(ctx, tile, y, part, {.alpha = distance ? -2.0 : 1.0});
    if (!distance) return;
    // d|x - y|^2/dx = 2 (x - y)
    launch(ctx, "pair_loss_add_rows", add_scaled_rows_kernel<T>,
           {.grid = divide_up(count * d, kThreads), .block = kThreads}, sums, x.as<T>() + first * d,
           part.as<T>(), count * d, d);
  });
}

template <class T, class Math>
void backward(CudaContext& ctx, const Math& math, const PairProblem& p, const View& g,
              const View& stats, const View& da, const View& db) {
  const Role<T> queries{stats.as<T>(), g.as<T>(), p.a.shape[0]}, nobody{};
  PairIds ids = pair_ids(p);
  if (!p.b.defined()) {
    if (da.defined()) gradient(ctx, math, ids, p.distance, p.a, p.a, queries, queries, da);
    return;
  }
  if (da.defined()) gradient(ctx, math, ids, p.distance, p.a, p.b, queries, nobody, da);
  std::swap(ids.row, ids.column);
  std::swap(ids.row_exclude, ids.column_exclude);
  if (db.defined()) gradient(ctx, math, ids, p.distance, p.b, p.a, nobody, queries, db);
}

}  // namespace

void squared_distances(CudaContext& ctx, const View& x, const View& y, const View& s) {
  on_float(x.dtype, "pair_loss", [&]<class T>(T) {
    launch(ctx, "squared_distances", distance_kernel<T>,
           {.grid = {divide_up(y.shape[0], kTile), divide_up(x.shape[0], kTile)},
            .block = {kTile, kTile}},
           x.as<T>(), y.as<T>(), s.as<T>(), x.shape[0], y.shape[0], x.shape[1]);
  });
}

void pair_loss_forward(CudaContext& ctx, const PairMath& math, const PairProblem& problem,
                       const View& loss, const View& valid, const View& stats) {
  std::visit(
      [&](const auto& m) {
        on_float(problem.a.dtype, "pair_loss",
                 [&]<class T>(T) { forward<T>(ctx, m, problem, loss, valid, stats); });
      },
      math);
}

void pair_loss_backward(CudaContext& ctx, const PairMath& math, const PairProblem& problem,
                        const View& g, const View& stats, const View& da, const View& db) {
  std::visit(
      [&](const auto& m) {
        on_float(problem.a.dtype, "pair_loss",
                 [&]<class T>(T) { backward<T>(ctx, m, problem, g, stats, da, db); });
      },
      math);
}

}  // namespace ditto::kernels
