// ColumnPlan: how blocks of threads walk a (rows, columns) matrix whose columns are treated alike,
// such as the channels of NHWC images.
//
// Neighbouring threads take neighbouring columns, P at a time, and what is left of a block takes
// further rows, so a block reads whole stretches of memory even where there are few columns. A
// thread stays with its columns: what belongs to a column is loaded once and its sums stay in
// registers. The rows are cut into pieces, one block each; their number depends on the sizes alone,
// so that sums are the same on every device.
#pragma once

#include <algorithm>

#include "kernels/vector.cuh"

namespace ditto::kernels {

inline constexpr int kColumnThreads = 256;

struct ColumnPlan {
  int64_t rows = 0, columns = 0, stride = 0;  // elements from row to row
  int width = 1, height = 1;                  // threads along columns and along rows
  int tiles = 1;                              // blocks along columns
  int64_t piece_rows = 1, pieces = 1;         // blocks along rows

  // `unroll` rows are handled together by a thread; at most `most_pieces` pieces.
  ColumnPlan(int64_t rows, int64_t columns, int64_t stride, int pack, int unroll,
             int64_t most_pieces)
      : rows(rows), columns(columns), stride(stride) {
    const int64_t units = std::max<int64_t>(1, columns / pack);
    tiles = static_cast<int>((units + kColumnThreads - 1) / kColumnThreads);
    width = static_cast<int>((units + tiles - 1) / tiles);
    height = kColumnThreads / width;
    // At least 32 rows: what is read or written once per piece stays below a few percent.
    const int64_t step = int64_t{height} * unroll;
    const int64_t least = (32 + step - 1) / step * step;
    pieces = std::clamp<int64_t>((rows + least - 1) / least, 1, std::max<int64_t>(1, most_pieces));
    piece_rows = std::max(step, ((rows + pieces - 1) / pieces + step - 1) / step * step);
    pieces = std::max<int64_t>(1, (rows + piece_rows - 1) / piece_rows);
  }
  int64_t blocks() const { return pieces * tiles; }
};

// Where a thread stands: its first column, and the rows begin, begin + height, ... below end.
template <int P>
struct ColumnPlace {
  int64_t column, begin, end, piece;
  int x, y;
  bool active;

  // `block` counts the blocks of one matrix.
  __device__ ColumnPlace(const ColumnPlan& plan, int64_t block) {
    x = static_cast<int>(threadIdx.x) % plan.width;
    y = static_cast<int>(threadIdx.x) / plan.width;
    piece = block / plan.tiles;
    column = (block % plan.tiles * plan.width + x) * P;
    active = y < plan.height && column < plan.columns;
    begin = piece * plan.piece_rows + y;
    end = min((piece + 1) * plan.piece_rows, plan.rows);
    if (!active) end = begin;  // takes part in barriers only
  }
};

// Whether rows of this length and distance can be read in packs of 16 bytes.
template <class T, class... P>
bool packable(int64_t columns, int64_t stride, const P*... pointers) {
  return columns % kPack<T> == 0 && stride % kPack<T> == 0 && aligned16(pointers...);
}

// Adds up, over the threads of a column, N sums of P columns each. `scratch` is shared memory for
// kColumnThreads * N * P values; the threads with place.y == 0 get the result.
template <int N, int P, class T>
__device__ inline void sum_over_rows(const ColumnPlan& plan, const ColumnPlace<P>& place,
                                     T (&sums)[N][P], T* scratch) {
  // Value v of all threads stands together: neighbouring threads use neighbouring banks.
  for (int n = 0; n < N; ++n)
    for (int k = 0; k < P; ++k)
      scratch[(n * P + k) * kColumnThreads + static_cast<int>(threadIdx.x)] = sums[n][k];
  int half = 1;
  while (2 * half < plan.height) half *= 2;
  for (; half > 0; half /= 2) {
    __syncthreads();
    if (place.y < half && place.y + half < plan.height)
      for (int n = 0; n < N; ++n)
        for (int k = 0; k < P; ++k) {
          T* at = scratch + (n * P + k) * kColumnThreads + static_cast<int>(threadIdx.x);
          sums[n][k] += at[half * plan.width];
          *at = sums[n][k];
        }
  }
  __syncthreads();
}

}  // namespace ditto::kernels
