#include "kernels/reduce.h"

#include <algorithm>
#include <vector>

#include "core/parallel.h"
#include "core/pool.h"
#include "kernels/through_f32.h"

namespace ditto::kernels {
namespace {

// Four independent partial sums: the compiler may not reorder floating-point additions on its own.
template <class T>
double sum_row(const T* x, int64_t n) {
  double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    s0 += x[i];
    s1 += x[i + 1];
    s2 += x[i + 2];
    s3 += x[i + 3];
  }
  for (; i < n; ++i) s0 += x[i];
  return (s0 + s1) + (s2 + s3);
}

}  // namespace

void reduce_sum(CpuContext& ctx, const View& x, const View& y, ReduceSizes sizes, double scale) {
  if (x.dtype == Dtype::BF16)
    return through_f32(ctx, [&](auto& f) { reduce_sum(ctx, f.in(x), f.out(y), sizes, scale); });
  on_float(x.dtype, "sum", [&](auto zero) {
    using T = decltype(zero);
    const int64_t outer = sizes.outer, reduce = sizes.reduce, inner = sizes.inner;
    if (outer * inner == 0) return;
    const T* from = x.as<T>();
    T* to = y.as<T>();
    // Pieces of the reduced dimension, about 16k elements each, so that a full sum runs on all
    // threads too.
    const int64_t piece = std::max<int64_t>(1, 16384 / inner);
    const int64_t pieces = std::max<int64_t>(1, (reduce + piece - 1) / piece);
    PoolVector<double> partial(static_cast<size_t>(outer * pieces * inner), 0.0);
    const int64_t grain = 1 + 16384 / (1 + std::min(piece, reduce) * inner);
    parallel_for(ctx, outer * pieces, grain, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t o = task / pieces, first = task % pieces * piece;
        const int64_t last = std::min(first + piece, reduce);
        const T* row = from + (o * reduce + first) * inner;
        double* acc = partial.data() + task * inner;
        if (inner == 1) {
          *acc = sum_row(row, last - first);
        } else {
          for (int64_t r = first; r < last; ++r, row += inner)
            for (int64_t i = 0; i < inner; ++i) acc[i] += row[i];
        }
      }
    });
    for (int64_t o = 0; o < outer; ++o) {
      for (int64_t i = 0; i < inner; ++i) {
        double sum = 0;
        for (int64_t p = 0; p < pieces; ++p) sum += partial[(o * pieces + p) * inner + i];
        to[o * inner + i] = static_cast<T>(scale * sum);
      }
    }
  });
}

void reduce_max(CpuContext& ctx, const View& x, const View& y, const View& index,
                ReduceSizes sizes) {
  if (x.dtype == Dtype::BF16)
    return through_f32(ctx, [&](auto& f) { reduce_max(ctx, f.in(x), f.out(y), index, sizes); });
  check(sizes.reduce >= 1, "[max] cannot take the maximum of nothing: shape", x.shape);
  on_float(x.dtype, "max", [&](auto zero) {
    using T = decltype(zero);
    const int64_t outer = sizes.outer, reduce = sizes.reduce, inner = sizes.inner;
    const T* from = x.as<T>();
    T* to = y.as<T>();
    int64_t* at = index.as<int64_t>();
    parallel_for(ctx, outer, 1 + 8192 / (1 + reduce * inner), [=](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) {
        for (int64_t i = 0; i < inner; ++i) {
          const T* column = from + o * reduce * inner + i;
          T best = column[0];
          int64_t where = 0;
          for (int64_t r = 1; r < reduce && best == best; ++r) {
            const T value = column[r * inner];
            if (value > best || value != value) {
              best = value;
              where = r;
            }
          }
          to[o * inner + i] = best;
          at[o * inner + i] = where;
        }
      }
    });
  });
}

void reduce_max_backward(CpuContext& ctx, const View& dy, const View& index, const View& dx,
                         ReduceSizes sizes) {
  if (dx.dtype == Dtype::BF16)
    return through_f32(
        ctx, [&](auto& f) { reduce_max_backward(ctx, f.in(dy), index, f.out(dx), sizes); });
  on_float(dy.dtype, "max", [&](auto zero) {
    using T = decltype(zero);
    const int64_t outer = sizes.outer, reduce = sizes.reduce, inner = sizes.inner;
    const T* g = dy.as<T>();
    const int64_t* at = index.as<int64_t>();
    T* to = dx.as<T>();
    parallel_for(ctx, outer, 1 + 8192 / (1 + reduce * inner), [=](int64_t begin, int64_t end) {
      std::fill(to + begin * reduce * inner, to + end * reduce * inner, T(0));
      for (int64_t o = begin; o < end; ++o)
        for (int64_t i = 0; i < inner; ++i)
          to[(o * reduce + at[o * inner + i]) * inner + i] = g[o * inner + i];
    });
  });
}

}  // namespace ditto::kernels
