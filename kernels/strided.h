// Row-wise iteration over operands that share a shape but not their strides (broadcasting, slices,
// permutations).
#pragma once

#include <array>

#include "core/parallel.h"
#include "core/shape.h"

namespace ditto::kernels {

// Merges dimensions that every operand walks in one stride, so that most cases become one long row.
template <size_t N>
struct StridedLoop {
  Shape shape;
  std::array<Shape, N> strides;

  StridedLoop(const Shape& full, const std::array<Shape, N>& operand_strides) {
    for (int d = 0; d < full.rank(); ++d) {
      if (full[d] == 1) continue;
      const int last = shape.rank() - 1;
      bool merge = last >= 0;
      for (size_t k = 0; k < N && merge; ++k)
        merge = strides[k][last] == operand_strides[k][d] * full[d];
      if (merge) {
        shape[last] *= full[d];
        for (size_t k = 0; k < N; ++k) strides[k][last] = operand_strides[k][d];
      } else {
        shape.push_back(full[d]);
        for (size_t k = 0; k < N; ++k) strides[k].push_back(operand_strides[k][d]);
      }
    }
    if (shape.empty()) {
      shape.push_back(full.numel());
      for (size_t k = 0; k < N; ++k) strides[k].push_back(1);
    }
  }

  // Calls f(offsets, steps, count) for pieces of rows; offsets and steps in elements, one per
  // operand.
  template <class F>
  void run(const CpuContext& ctx, F&& f) const {
    const int rank = shape.rank();
    const int64_t inner = shape[rank - 1];
    std::array<int64_t, N> steps;
    for (size_t k = 0; k < N; ++k) steps[k] = strides[k][rank - 1];
    constexpr int64_t kGrain = 8192;
    if (rank == 1) {  // one row: split it
      parallel_for(ctx, inner, kGrain, [&](int64_t begin, int64_t end) {
        std::array<int64_t, N> offsets;
        for (size_t k = 0; k < N; ++k) offsets[k] = begin * steps[k];
        f(offsets, steps, end - begin);
      });
      return;
    }
    if (inner == 0) return;
    parallel_for(ctx, shape.numel() / inner, 1 + kGrain / inner, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        std::array<int64_t, N> offsets{};
        int64_t rest = row;
        for (int d = rank - 2; d >= 0; --d) {
          const int64_t i = rest % shape[d];
          rest /= shape[d];
          for (size_t k = 0; k < N; ++k) offsets[k] += i * strides[k][d];
        }
        f(offsets, steps, inner);
      }
    });
  }
};

}  // namespace ditto::kernels
