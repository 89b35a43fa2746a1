#include "kernels/group_kl.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/parallel.h"
#include "core/pool.h"

namespace ditto::kernels {
namespace {

using Doubles = PoolVector<double>;

// Rows sorted by group: group g holds rows[start[g]] .. rows[start[g + 1] - 1], in their original
// order.
struct Groups {
  PoolVector<int64_t> rows, start;
  explicit Groups(const View& ids) : rows(static_cast<size_t>(ids.numel())) {
    const int64_t* id = ids.as<int64_t>();
    std::iota(rows.begin(), rows.end(), 0);
    // Ties by position instead of a stable sort, which would allocate a buffer.
    std::sort(rows.begin(), rows.end(),
              [=](int64_t a, int64_t b) { return id[a] != id[b] ? id[a] < id[b] : a < b; });
    for (size_t r = 0; r < rows.size(); ++r)
      if (r == 0 || id[rows[r]] != id[rows[r - 1]]) start.push_back(static_cast<int64_t>(r));
    start.push_back(static_cast<int64_t>(rows.size()));
  }
  int64_t size() const { return static_cast<int64_t>(start.size()) - 1; }
};

template <class T>
void log_softmax_row(const T* z, int64_t k, double* logp) {
  double top = z[0];
  for (int64_t c = 1; c < k; ++c) top = std::max<double>(top, z[c]);
  double sum = 0;
  for (int64_t c = 0; c < k; ++c) sum += std::exp(z[c] - top);
  const double lse = top + std::log(sum);
  for (int64_t c = 0; c < k; ++c) logp[c] = z[c] - lse;
}

// Everything about one group of m rows: log p (m, K), weights W (m, m), log pbar (m, K; one row
// when W is uniform).
struct GroupState {
  int64_t m, k;
  bool uniform;
  Doubles logp, weight, log_mean;

  const double* mean_row(int64_t i) const { return log_mean.data() + (uniform ? 0 : i * k); }
  double w(int64_t i, int64_t j) const { return uniform ? 1.0 / double(m) : weight[i * m + j]; }

  template <class T>
  GroupState(const T* z, const T* y, const int64_t* rows, int64_t m, int64_t k)
      : m(m), k(k), uniform(!y), logp(static_cast<size_t>(m * k)) {
    for (int64_t i = 0; i < m; ++i) log_softmax_row(z + rows[i] * k, k, logp.data() + i * k);
    if (!uniform) set_overlap_weights(y, rows);
    const int64_t anchors = uniform ? 1 : m;
    log_mean.resize(static_cast<size_t>(anchors * k));
    for (int64_t i = 0; i < anchors; ++i) {
      for (int64_t c = 0; c < k; ++c) {
        double top = -INFINITY, sum = 0;
        bool nan = false;  // std::max would drop it
        for (int64_t j = 0; j < m; ++j) {
          if (!(w(i, j) > 0)) continue;
          nan |= std::isnan(logp[j * k + c]);
          top = std::max(top, logp[j * k + c]);
        }
        if (std::isfinite(top))
          for (int64_t j = 0; j < m; ++j) sum += w(i, j) * std::exp(logp[j * k + c] - top);
        log_mean[i * k + c] = nan ? NAN : sum > 0 ? top + std::log(sum) : top;
      }
    }
  }

 private:
  template <class T>
  void set_overlap_weights(const T* y, const int64_t* rows) {
    weight.resize(static_cast<size_t>(m * m));
    for (int64_t i = 0; i < m; ++i) {
      double total = 0;
      for (int64_t j = 0; j < m; ++j) {
        double overlap = 0;
        for (int64_t c = 0; c < k; ++c)
          overlap += std::min<double>(y[rows[i] * k + c], y[rows[j] * k + c]);
        total += weight[i * m + j] = overlap;
      }
      for (int64_t j = 0; j < m; ++j)  // a row without any label mass pairs with itself alone
        weight[i * m + j] = total > 0 ? weight[i * m + j] / total : (i == j ? 1.0 : 0.0);
    }
  }
};

template <class T>
const T* optional(const View& view) {
  return view.defined() ? view.as<T>() : nullptr;
}

}  // namespace

void group_kl_forward(CpuContext& ctx, const View& logits, const View& groups, const View& targets,
                      const View& kl, const View& anchor) {
  on_float(logits.dtype, "group_kl", [&](auto zero) {
    using T = decltype(zero);
    const int64_t k = logits.shape.back();
    const T *z = logits.as<T>(), *y = optional<T>(targets);
    T *out = kl.as<T>(), *mean = anchor.as<T>();
    const Groups order(groups);
    parallel_for(ctx, order.size(), 8, [&](int64_t begin, int64_t end) {
      for (int64_t g = begin; g < end; ++g) {
        const int64_t* rows = order.rows.data() + order.start[g];
        const GroupState state(z, y, rows, order.start[g + 1] - order.start[g], k);
        for (int64_t i = 0; i < state.m; ++i) {
          const double *log_mean = state.mean_row(i), *logp = state.logp.data() + i * k;
          double sum = 0;
          for (int64_t c = 0; c < k; ++c) {
            const double pbar = std::exp(log_mean[c]);
            mean[rows[i] * k + c] = static_cast<T>(pbar);
            if (!(pbar == 0)) sum += pbar * (log_mean[c] - logp[c]);  // NaN included
          }
          out[rows[i]] =
              static_cast<T>(sum < 0 ? 0.0 : sum);  // rounding may fall below 0; NaN stays
        }
      }
    });
  });
}

void group_kl_backward(CpuContext& ctx, const View& g, const View& logits, const View& groups,
                       const View& targets, bool anchor_grad, const View& dlogits) {
  on_float(logits.dtype, "group_kl", [&](auto zero) {
    using T = decltype(zero);
    const int64_t k = logits.shape.back();
    const T *z = logits.as<T>(), *y = optional<T>(targets), *scale = g.as<T>();
    T* dz = dlogits.as<T>();
    const Groups order(groups);
    parallel_for(ctx, order.size(), 8, [&](int64_t begin, int64_t end) {
      for (int64_t group = begin; group < end; ++group) {
        const int64_t* rows = order.rows.data() + order.start[group];
        const GroupState state(z, y, rows, order.start[group + 1] - order.start[group], k);
        for (int64_t i = 0; i < state.m; ++i) {
          const double *log_mean = state.mean_row(i), *logp = state.logp.data() + i * k;
          for (int64_t c = 0; c < k; ++c)
            dz[rows[i] * k + c] =
                static_cast<T>(scale[rows[i]] * (std::exp(logp[c]) - std::exp(log_mean[c])));
        }
        if (!anchor_grad) continue;
        Doubles a(static_cast<size_t>(k));
        for (int64_t r = 0; r < state.m; ++r) {
          std::fill(a.begin(), a.end(), 0.0);
          for (int64_t i = 0; i < state.m; ++i) {
            const double weight = scale[rows[i]] * state.w(i, r);
            if (weight == 0) continue;
            const double *log_mean = state.mean_row(i), *logp = state.logp.data() + i * k;
            for (int64_t c = 0; c < k; ++c) a[c] += weight * (log_mean[c] - logp[c]);
          }
          const double* logp = state.logp.data() + r * k;
          double dot = 0;
          for (int64_t c = 0; c < k; ++c) dot += std::exp(logp[c]) * a[c];
          for (int64_t c = 0; c < k; ++c)
            dz[rows[r] * k + c] += static_cast<T>(std::exp(logp[c]) * (a[c] - dot));
        }
      }
    });
  });
}

void group_mean(CpuContext&, const View& x, const View& groups, const View& mean) {
  on_float(x.dtype, "group_mean", [&](auto zero) {
    using T = decltype(zero);
    const int64_t k = x.shape.back();
    const T* from = x.as<T>();
    T* to = mean.as<T>();
    const Groups order(groups);
    for (int64_t g = 0; g < order.size(); ++g) {
      const int64_t* rows = order.rows.data() + order.start[g];
      const int64_t m = order.start[g + 1] - order.start[g];
      for (int64_t c = 0; c < k; ++c) {
        double sum = 0;
        for (int64_t i = 0; i < m; ++i) sum += from[rows[i] * k + c];
        for (int64_t i = 0; i < m; ++i) to[rows[i] * k + c] = static_cast<T>(sum / double(m));
      }
    }
  });
}

}  // namespace ditto::kernels
