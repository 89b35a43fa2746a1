#include "kernels/l2_normalize.h"

#include <algorithm>
#include <cmath>

#include "core/parallel.h"

namespace ditto::kernels {

void l2_normalize_forward(CpuContext& ctx, const View& x, double eps, const View& y,
                          const View& lengths) {
  on_float(x.dtype, "l2_normalize", [&](auto zero) {
    using T = decltype(zero);
    const int64_t d = x.shape[1];
    const T* from = x.as<T>();
    T *to = y.as<T>(), *length = lengths.as<T>();
    parallel_for(ctx, x.shape[0], 1 + 4096 / (d + 1), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        double sum = 0;
        for (int64_t c = i * d; c < (i + 1) * d; ++c) sum += double(from[c]) * from[c];
        const double root = std::sqrt(sum);
        length[i] = static_cast<T>(root < eps ? eps : root);  // NaN stays
        const double inverse = 1 / (root < eps ? eps : root);
        for (int64_t c = i * d; c < (i + 1) * d; ++c) to[c] = static_cast<T>(from[c] * inverse);
      }
    });
  });
}

void l2_normalize_backward(CpuContext& ctx, const View& dy, const View& y, const View& lengths,
                           double eps, const View& dx) {
  on_float(y.dtype, "l2_normalize", [&](auto zero) {
    using T = decltype(zero);
    const int64_t d = y.shape[1];
    const T *g = dy.as<T>(), *unit = y.as<T>(), *length = lengths.as<T>();
    T* to = dx.as<T>();
    parallel_for(ctx, y.shape[0], 1 + 4096 / (d + 1), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        double dot = 0;
        if (length[i] > static_cast<T>(eps))
          for (int64_t c = i * d; c < (i + 1) * d; ++c) dot += double(g[c]) * unit[c];
        const double inverse = 1 / double(length[i]);
        for (int64_t c = i * d; c < (i + 1) * d; ++c)
          to[c] = static_cast<T>((g[c] - dot * unit[c]) * inverse);
      }
    });
  });
}

}  // namespace ditto::kernels
