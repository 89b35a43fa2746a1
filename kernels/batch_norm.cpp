#include "kernels/batch_norm.h"

#include <algorithm>

#include "core/parallel.h"
#include "core/pool.h"
#include "kernels/batch_norm_math.h"
#include "kernels/through_f32.h"

namespace ditto::kernels {
namespace {

using Doubles = PoolVector<double>;

// Rows are cut into blocks whose number depends on the size alone: sums come out the same for any
// thread count. A block fits the L2 cache; within it sums run in T, between blocks in double.
struct Blocks {
  int64_t rows, channels, block_rows, count;
  explicit Blocks(const View& x)
      : rows(x.numel() / std::max<int64_t>(1, x.shape.back())), channels(x.shape.back()) {
    block_rows = std::max<int64_t>(1, 8192 / std::max<int64_t>(1, channels));
    count = (rows + block_rows - 1) / block_rows;
  }
  template <class F>
  void run(const CpuContext& ctx, F&& f) const {
    parallel_for(ctx, count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b)
        f(b, b * block_rows, std::min(rows, (b + 1) * block_rows));
    });
  }
};

template <class T>
const T* optional(const View& view) {
  return view.defined() ? view.as<T>() : nullptr;
}

// The sums of one block, four rows at a time: independent chains hide the latency of the additions.
// Every 32 rows the partial sums move on to the block's, so that no f32 number collects many terms.
template <class T, class Value>
void block_sums(int64_t first, int64_t last, int64_t channels, T* sum, Value value) {
  constexpr int64_t kTile = 64, kRows = 32;
  std::fill(sum, sum + channels, T(0));
  for (int64_t tile = 0; tile < channels; tile += kTile) {
    const int64_t width = std::min(kTile, channels - tile);
    for (int64_t chunk = first; chunk < last; chunk += kRows) {
      const int64_t end = std::min(last, chunk + kRows);
      T part[kTile] = {};
      int64_t r = chunk;
      for (; r + 4 <= end; r += 4)
        for (int64_t c = 0; c < width; ++c)
          part[c] += (value(r, tile + c) + value(r + 1, tile + c)) +
                     (value(r + 2, tile + c) + value(r + 3, tile + c));
      for (; r < end; ++r)
        for (int64_t c = 0; c < width; ++c) part[c] += value(r, tile + c);
      for (int64_t c = 0; c < width; ++c) sum[tile + c] += part[c];
    }
  }
}

}  // namespace

void batch_norm_statistics(CpuContext& ctx, const View& x, const View& mean, const View& variance) {
  if (x.dtype == Dtype::BF16)
    return through_f32(ctx, [&](auto& f) { batch_norm_statistics(ctx, f.in(x), mean, variance); });
  on_float(x.dtype, "batch_norm", [&](auto zero) {
    using T = decltype(zero);
    const Blocks blocks(x);
    const int64_t k = blocks.channels;
    const T* from = x.as<T>();
    // Per block and channel: mean and sum of squared deviations from it; the second pass reads the
    // cache.
    PoolVector<T> block_mean(static_cast<size_t>(blocks.count * k)), block_m2(block_mean.size());
    blocks.run(ctx, [&](int64_t b, int64_t first, int64_t last) {
      T *m = block_mean.data() + b * k, *m2 = block_m2.data() + b * k;
      block_sums(first, last, k, m, [=](int64_t r, int64_t c) { return from[r * k + c]; });
      const T inverse = T(1) / static_cast<T>(last - first);
      for (int64_t c = 0; c < k; ++c) m[c] *= inverse;
      block_sums(first, last, k, m2, [=](int64_t r, int64_t c) {
        const T d = from[r * k + c] - m[c];
        return d * d;
      });
    });
    T *mean_out = mean.as<T>(), *var_out = variance.as<T>();
    for (int64_t c = 0; c < k; ++c) {
      double n = 0, total_mean = 0, total_m2 = 0;
      for (int64_t b = 0; b < blocks.count; ++b) {
        const double size = static_cast<double>(std::min(blocks.rows, (b + 1) * blocks.block_rows) -
                                                b * blocks.block_rows);
        const double delta = block_mean[b * k + c] - total_mean;
        total_m2 += block_m2[b * k + c] + delta * delta * n * size / (n + size);
        total_mean += delta * size / (n + size);
        n += size;
      }
      mean_out[c] = static_cast<T>(total_mean);
      var_out[c] = static_cast<T>(n > 0 ? total_m2 / n : 0.0);
    }
  });
}

void batch_norm_finish(CpuContext&, const View& mean, const View& variance, int64_t rows,
                       const BatchNormFinish& p, const View& invstd, const View& running_mean,
                       const View& running_var) {
  on_float(variance.dtype, "batch_norm", [&](auto zero) {
    using T = decltype(zero);
    const T *m = optional<T>(mean), *var = variance.as<T>();
    T* running = running_mean.defined() ? running_mean.as<T>() : nullptr;
    T* running_variance = running ? running_var.as<T>() : nullptr;
    for (int64_t c = 0; c < variance.numel(); ++c)
      finish_channel(c, m, var, p, unbiased_factor(rows), invstd.as<T>(), running,
                     running_variance);
  });
}

void batch_norm_apply(CpuContext& ctx, const View& x, const View& mean, const View& invstd,
                      const View& gamma, const View& beta, const View& residual, bool relu,
                      const View& y) {
  if (x.dtype == Dtype::BF16)
    return through_f32(ctx, [&](auto& f) {
      batch_norm_apply(ctx, f.in(x), mean, invstd, gamma, beta, f.in(residual), relu, f.out(y));
    });
  on_float(x.dtype, "batch_norm", [&](auto zero) {
    using T = decltype(zero);
    const Blocks blocks(x);
    const int64_t k = blocks.channels;
    const T *m = mean.as<T>(), *s = invstd.as<T>(), *w = optional<T>(gamma), *b = optional<T>(beta);
    PoolVector<T> scale_values(static_cast<size_t>(k)), shift_values(scale_values.size());
    for (int64_t c = 0; c < k; ++c) {
      scale_values[c] = (w ? w[c] : T(1)) * s[c];
      shift_values[c] = b ? b[c] : T(0);
    }
    const T *scale = scale_values.data(), *shift = shift_values.data();
    const T *from = x.as<T>(), *skip = optional<T>(residual);
    T* to = y.as<T>();
    blocks.run(ctx, [=](int64_t, int64_t first, int64_t last) {
      for (int64_t r = first; r < last; ++r) {
        const T* in = from + r * k;
        T* out = to + r * k;
        if (skip && relu)
          for (int64_t c = 0; c < k; ++c) {
            const T v = (in[c] - m[c]) * scale[c] + shift[c] + skip[r * k + c];
            out[c] = v < T(0) ? T(0) : v;
          }
        else if (skip)
          for (int64_t c = 0; c < k; ++c)
            out[c] = (in[c] - m[c]) * scale[c] + shift[c] + skip[r * k + c];
        else if (relu)
          for (int64_t c = 0; c < k; ++c) {
            const T v = (in[c] - m[c]) * scale[c] + shift[c];
            out[c] = v < T(0) ? T(0) : v;
          }
        else
          for (int64_t c = 0; c < k; ++c) out[c] = (in[c] - m[c]) * scale[c] + shift[c];
      }
    });
  });
}

void batch_norm_backward(CpuContext& ctx, const View& dy, const View& x, const View& y,
                         const View& mean, const View& invstd, const View& gamma, bool training,
                         const View& dx, const View& dgamma, const View& dbeta,
                         const View& dresidual) {
  if (x.dtype == Dtype::BF16)
    return through_f32(ctx, [&](auto& f) {
      batch_norm_backward(ctx, f.in(dy), f.in(x), f.in(y), mean, invstd, gamma, training, f.out(dx),
                          dgamma, dbeta, f.out(dresidual));
    });
  on_float(x.dtype, "batch_norm", [&](auto zero) {
    using T = decltype(zero);
    const Blocks blocks(x);
    const int64_t k = blocks.channels;
    const T *g = dy.as<T>(), *in = x.as<T>(), *out = optional<T>(y), *m = mean.as<T>(),
            *s = invstd.as<T>(), *w = optional<T>(gamma);
    T* skip = dresidual.defined() ? dresidual.as<T>() : nullptr;
    // Pass 1: sum dy and sum dy * (x - mean) per channel, dy taken through the ReLU.
    PoolVector<T> sums(static_cast<size_t>(blocks.count * 2 * k));
    // The gradient is loaded before the comparison: a load on a condition would be a branch that
    // half of the time goes the other way, and 30 times the time.
    const auto collect = [&](auto through_relu) {
      blocks.run(ctx, [&](int64_t b, int64_t first, int64_t last) {
        T *sum = sums.data() + b * 2 * k, *dot = sum + k;
        block_sums(first, last, k, sum,
                   [=](int64_t r, int64_t c) { return through_relu(r * k + c); });
        block_sums(first, last, k, dot, [=](int64_t r, int64_t c) {
          return through_relu(r * k + c) * (in[r * k + c] - m[c]);
        });
      });
    };
    const auto masked = [=](int64_t i) {
      const T v = g[i];
      return out[i] > T(0) ? v : T(0);
    };
    if (out)
      collect(masked);
    else
      collect([=](int64_t i) { return g[i]; });
    // dx = a dy + b (x - mean) + d per channel.
    PoolVector<T> coefficients(static_cast<size_t>(3 * k));
    T *a = coefficients.data(), *b = a + k, *d = b + k;
    for (int64_t c = 0; c < k; ++c) {
      double sum = 0, dot = 0;
      for (int64_t block = 0; block < blocks.count; ++block) {
        sum += sums[block * 2 * k + c];
        dot += sums[block * 2 * k + k + c];
      }
      const double inverse = s[c], scale = (w ? double(w[c]) : 1.0) * inverse;
      const double n = static_cast<double>(std::max<int64_t>(1, blocks.rows));
      if (dgamma.defined()) dgamma.as<T>()[c] = static_cast<T>(dot * inverse);
      if (dbeta.defined()) dbeta.as<T>()[c] = static_cast<T>(sum);
      a[c] = static_cast<T>(scale);
      b[c] = training ? static_cast<T>(-scale * inverse * inverse * dot / n) : T(0);
      d[c] = training ? static_cast<T>(-scale * sum / n) : T(0);
    }
    // Pass 2.
    T* to = dx.defined() ? dx.as<T>() : nullptr;
    if (!to && !skip) return;
    blocks.run(ctx, [=](int64_t, int64_t first, int64_t last) {
      for (int64_t r = first; r < last; ++r) {
        const int64_t o = r * k;
        if (skip && out)
          for (int64_t c = 0; c < k; ++c) skip[o + c] = masked(o + c);
        else if (skip)
          std::copy(g + o, g + o + k, skip + o);
        if (!to) continue;
        if (out)
          for (int64_t c = 0; c < k; ++c)
            to[o + c] = a[c] * masked(o + c) + (b[c] * (in[o + c] - m[c]) + d[c]);
        else
          for (int64_t c = 0; c < k; ++c)
            to[o + c] = a[c] * g[o + c] + (b[c] * (in[o + c] - m[c]) + d[c]);
      }
    });
  });
}

}  // namespace ditto::kernels
