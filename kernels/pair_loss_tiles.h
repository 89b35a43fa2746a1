// What both devices' pair losses share: which pairs are positive, and the walk over tiles of
// similarities.
#pragma once

#include <algorithm>

#include "core/storage.h"
#include "kernels/matmul.h"
#include "kernels/pair_loss.h"

namespace ditto::kernels {

// Ids of the rows and of the columns of S.
struct PairIds {
  const int64_t *row, *column;                  // positive where they agree
  const int64_t *row_exclude, *column_exclude;  // null: every other pair is negative
  int64_t words;                                // per row, of bit masks; 0: plain ids
  bool self;                                    // rows are columns: (i, i) does not count

  HD int kind(int64_t i, int64_t j) const {
    if (self && i == j) return 0;
    bool positive = false;
    if (words == 0) positive = row[i] == column[j];
    for (int64_t w = 0; w < words; ++w)
      positive |= (row[i * words + w] & column[j * words + w]) != 0;
    if (positive) return 1;
    return row_exclude && row_exclude[i] == column_exclude[j] ? 0 : -1;
  }
};

inline PairIds pair_ids(const PairProblem& p) {
  const auto pointer = [](const View& v) { return v.defined() ? v.as<int64_t>() : nullptr; };
  const bool self = !p.b.defined();
  const bool own_ids = !p.key_ids.defined();
  return {.row = pointer(p.query_ids),
          .column = pointer(own_ids ? p.query_ids : p.key_ids),
          .row_exclude = pointer(p.query_exclude),
          .column_exclude = pointer(own_ids ? p.query_exclude : p.key_exclude),
          .words = p.bits ? p.query_ids.shape[1] : 0,
          .self = self};
}

// Rows [first, first + count) of a contiguous matrix.
inline View rows_of(const View& x, int64_t first, int64_t count) {
  View part = x;
  part.shape[0] = count;
  part.data = static_cast<char*>(x.data) + first * x.shape[1] * size_of(x.dtype);
  return part;
}

// s_ij = |x_i - y_j|^2, from the differences: near points lose no digits.
void squared_distances(CpuContext& ctx, const View& x, const View& y, const View& s);
void squared_distances(CudaContext& ctx, const View& x, const View& y, const View& s);

// Calls body(first row, rows, tile) for every tile of S = x y^T or of the squared distances.
template <class Ctx, class Body>
void for_tiles(Ctx& ctx, const View& x, const View& y, bool distance, Body&& body) {
  const int64_t rows = x.shape[0], columns = y.shape[0];
  const int64_t row_bytes = columns * size_of(x.dtype);
  if (rows == 0 || columns == 0) return;
  const int64_t tile_rows = std::clamp<int64_t>(pair_tile_bytes() / row_bytes, 1, rows);
  const Storage memory(tile_rows * row_bytes, x.device);
  for (int64_t first = 0; first < rows; first += tile_rows) {
    const int64_t count = std::min(tile_rows, rows - first);
    const View part = rows_of(x, first, count);
    View tile = x;
    tile.data = memory.data();
    tile.shape = {count, columns};
    tile.strides = contiguous_strides(tile.shape);
    if (distance)
      squared_distances(ctx, part, y, tile);
    else
      matmul(ctx, part, y, tile, {.transpose_b = true});
    body(first, count, tile);
  }
}

}  // namespace ditto::kernels
