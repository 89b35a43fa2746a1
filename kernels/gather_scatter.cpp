#include "kernels/gather_scatter.h"

#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "kernels/through_f32.h"

namespace ditto::kernels {

void gather_rows(CpuContext& ctx, const View& x, const View& index, const View& y) {
  if (x.dtype == Dtype::BF16)
    return through_f32(ctx, [&](auto& f) { gather_rows(ctx, f.in(x), index, f.out(y)); });
  const int64_t n = x.shape.front(), m = index.numel();
  const int64_t* at = index.as<int64_t>();
  for (int64_t i = 0; i < m; ++i)
    check(at[i] >= 0 && at[i] < n, "[index_select] index", at[i], "at position", i,
          "is outside [0,", n, ")");
  if (m == 0) return;
  const int64_t bytes = y.numel() / m * size_of(x.dtype);
  const char* from = static_cast<const char*>(x.data);
  char* to = static_cast<char*>(y.data);
  parallel_for(ctx, m, 1 + 16384 / (1 + bytes), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      std::memcpy(to + i * bytes, from + at[i] * bytes, static_cast<size_t>(bytes));
  });
}

void scatter_add_rows(CpuContext& ctx, const View& dy, const View& index, const View& dx) {
  if (dx.dtype == Dtype::BF16)
    return through_f32(ctx, [&](auto& f) { scatter_add_rows(ctx, f.in(dy), index, f.out(dx)); });
  on_float(dy.dtype, "index_select", [&](auto zero) {
    using T = decltype(zero);
    const int64_t m = index.numel();
    const int64_t* at = index.as<int64_t>();
    const T* g = dy.as<T>();
    T* to = dx.as<T>();
    std::fill(to, to + dx.numel(), T(0));
    if (m == 0) return;
    const int64_t row = dy.numel() / m;
    // Threads share the columns, not the rows: equal indices never race.
    parallel_for(ctx, row, 4096, [=](int64_t begin, int64_t end) {
      for (int64_t i = 0; i < m; ++i)
        for (int64_t c = begin; c < end; ++c) to[at[i] * row + c] += g[i * row + c];
    });
  });
}

}  // namespace ditto::kernels
