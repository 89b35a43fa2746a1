// RowPlan: how blocks of threads walk the rows of a contiguous (rows, columns) matrix when every
// row needs sums of its own.
//
// Rows of class scores are short: a warp per row of 10 floats would leave 22 lanes idle and touch
// more bytes than it uses. So a block takes as many rows as fill it, which are one stretch of
// memory, copies them to shared memory in 16-byte packs, and gives each row to a group of 1 to 32
// lanes, about eight columns each; results go back the same way. A row that does not fit (f32: more
// than some thousand columns) gets a block of its own, which reads it from global memory, more
// than once where the kernel needs it: the caches hold it.
#pragma once

#include <cmath>

#include "kernels/vector.cuh"
#include "kernels/warp.cuh"

namespace ditto::kernels {

inline constexpr int kRowThreads = 128;

struct RowPlan {
  int64_t rows, columns;
  int lanes, block_rows;  // threads per row, rows per block
  int pitch = 0;          // from row to row in shared memory; 0: rows stay in global memory
  int64_t shared_bytes = 0;

  // For kernels that hold `tiles` matrices of elements of `size` bytes in shared memory.
  RowPlan(int64_t rows, int64_t columns, int size, int tiles) : rows(rows), columns(columns) {
    check(columns <= INT32_MAX, "[softmax] too many columns:", columns);
    lanes = 1;
    while (lanes < kWarp && columns > 8 * lanes) lanes *= 2;
    block_rows = kRowThreads / lanes;
    // An odd multiple of `lanes`: the rows of a warp start in different banks.
    const int64_t spread = ((columns + lanes - 1) / lanes | 1) * lanes;
    const int64_t row = lanes == kWarp ? columns : spread;
    const int64_t bytes = row * block_rows * tiles * size;
    // The kernels have a few words of static shared memory besides, which count too.
    if (bytes <= kFreeSharedBytes - 256) {
      pitch = static_cast<int>(row);
      shared_bytes = bytes;
    } else {
      lanes = kRowThreads;
      block_rows = 1;
    }
  }
  int64_t blocks() const { return divide_up(rows, block_rows); }
};

// Calls f(std::bool_constant<kTiled>).
template <class F>
void with_tiles(const RowPlan& plan, F&& f) {
  if (plan.pitch > 0)
    f(std::true_type{});
  else
    f(std::false_type{});
}

// Where a thread stands: its row, and the columns lane, lane + lanes, ... below `columns`.
template <class T, bool kTiled>
struct RowPlace {
  int64_t row;
  int columns, lane, lanes;

  __device__ explicit RowPlace(const RowPlan& plan) : lanes(plan.lanes) {
    first_ = int64_t{blockIdx.x} * plan.block_rows;
    row = first_ + static_cast<int>(threadIdx.x) / plan.lanes;
    lane = static_cast<int>(threadIdx.x) % plan.lanes;
    columns = row < plan.rows ? static_cast<int>(plan.columns) : 0;
  }

  // The thread's row of x: its copy in `tile`, of which the block writes all, or x itself. A
  // barrier must follow before the row is read.
  __device__ const T* load(const RowPlan& plan, const T* x, T* tile) const {
    if constexpr (!kTiled) return x + row * plan.columns;
    constexpr int P = kPack<T>;
    const int width = static_cast<int>(plan.columns), count = elements(plan);
    const T* from = x + first_ * plan.columns;
    int done = 0;
    if (reinterpret_cast<uintptr_t>(from) % 16 == 0) {
      for (int i = static_cast<int>(threadIdx.x); i < count / P; i += kRowThreads) {
        const Pack<T, P> pack = load_pack<P>(from + i * P);
        int r = i * P / width, c = i * P - r * width;
        for (int k = 0; k < P; ++k) {
          tile[r * plan.pitch + c] = pack.v[k];
          if (++c == width) c = 0, ++r;
        }
      }
      done = count / P * P;
    }
    for (int i = done + static_cast<int>(threadIdx.x); i < count; i += kRowThreads)
      tile[i / width * plan.pitch + i % width] = from[i];
    return tile + (row - first_) * plan.pitch;
  }

  // Where the thread puts its row of y; finish() then writes it. With tiles, that may be the place
  // of a row that was loaded.
  __device__ T* output(const RowPlan& plan, T* y, T* tile) const {
    return kTiled ? tile + (row - first_) * plan.pitch : y + row * plan.columns;
  }
  __device__ void finish(const RowPlan& plan, T* y, const T* tile) const {
    if constexpr (!kTiled) return;
    __syncthreads();
    constexpr int P = kPack<T>;
    const int width = static_cast<int>(plan.columns), count = elements(plan);
    T* to = y + first_ * plan.columns;
    int done = 0;
    if (reinterpret_cast<uintptr_t>(to) % 16 == 0) {
      for (int i = static_cast<int>(threadIdx.x); i < count / P; i += kRowThreads) {
        Pack<T, P> pack;
        int r = i * P / width, c = i * P - r * width;
        for (int k = 0; k < P; ++k) {
          pack.v[k] = tile[r * plan.pitch + c];
          if (++c == width) c = 0, ++r;
        }
        store_pack(to + i * P, pack);
      }
      done = count / P * P;
    }
    for (int i = done + static_cast<int>(threadIdx.x); i < count; i += kRowThreads)
      to[i] = tile[i / width * plan.pitch + i % width];
  }

  // Over the threads of the row; `scratch` as in block_sum.
  __device__ T sum(T value, T* scratch) const {
    return kTiled ? warp_sum(value, lanes) : block_sum(value, scratch);
  }
  __device__ T max(T value, T* scratch) const {
    return kTiled ? warp_max(value, lanes) : block_max(value, scratch);
  }

 private:
  __device__ int elements(const RowPlan& plan) const {
    const int64_t left = plan.rows - first_;
    return static_cast<int>((left < plan.block_rows ? left : plan.block_rows) * plan.columns);
  }
  int64_t first_;
};

}  // namespace ditto::kernels
