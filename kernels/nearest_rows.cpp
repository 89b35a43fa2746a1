#include "kernels/nearest_rows.h"

#include <algorithm>
#include <numeric>

#include "core/parallel.h"
#include "core/pool.h"
#include "kernels/pair_loss_tiles.h"

namespace ditto::kernels {

void nearest_rows(CpuContext& ctx, const View& x, const View& index) {
  on_float(x.dtype, "nearest_rows", [&](auto zero) {
    using T = decltype(zero);
    const int64_t k = index.shape[1];
    int64_t* out = index.as<int64_t>();
    for_tiles(ctx, x, x, true, [&](int64_t first, int64_t count, const View& tile) {
      const int64_t columns = tile.shape[1];
      const T* s = tile.as<T>();
      parallel_for(ctx, count, 1 + 4096 / columns, [&](int64_t begin, int64_t end) {
        PoolVector<int64_t> order(static_cast<size_t>(columns));
        for (int64_t r = begin; r < end; ++r) {
          const T* row = s + r * columns;
          std::iota(order.begin(), order.end(), 0);
          order.erase(order.begin() + first + r);  // itself
          std::partial_sort(
              order.begin(), order.begin() + k, order.end(),
              [=](int64_t a, int64_t b) { return row[a] != row[b] ? row[a] < row[b] : a < b; });
          std::copy_n(order.begin(), k, out + (first + r) * k);
          order.resize(static_cast<size_t>(columns));
        }
      });
    });
  });
}

}  // namespace ditto::kernels
