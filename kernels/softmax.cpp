#include "kernels/softmax.h"

#include <algorithm>
#include <cmath>

#include "core/parallel.h"

namespace ditto::kernels {
namespace {

// Calls row(i) for every row on the threads of ctx; `columns` sets how many rows make a task
// worthwhile.
template <class F>
void for_rows(const CpuContext& ctx, int64_t rows, int64_t columns, F&& row) {
  parallel_for(ctx, rows, 1 + 2048 / (1 + columns), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) row(i);
  });
}

int64_t columns_of(const View& x) { return x.shape.back(); }
int64_t rows_of(const View& x) { return x.numel() / std::max<int64_t>(1, columns_of(x)); }

// log sum exp of a row; -inf for an all -inf row, NaN where the row has one.
template <class T>
double log_sum_exp(const T* x, int64_t n) {
  double top = x[0];
  for (int64_t c = 1; c < n; ++c) top = std::max<double>(top, x[c]);
  if (!std::isfinite(top)) {
    for (int64_t c = 0; c < n; ++c)
      if (std::isnan(x[c])) return NAN;
    return top;
  }
  double sum = 0;
  for (int64_t c = 0; c < n; ++c) sum += std::exp(x[c] - top);
  return top + std::log(sum);
}

// The target distribution of one row, read element by element from a label or a soft-target row.
template <class T>
struct TargetRow {
  const T* soft;
  int64_t label;
  double smoothing;
  int64_t columns;
  double operator()(int64_t c) const {
    const double y = soft ? static_cast<double>(soft[c]) : (c == label ? 1.0 : 0.0);
    return smoothing == 0 ? y : (1 - smoothing) * y + smoothing / static_cast<double>(columns);
  }
};

// Calls call(T(0), f) for the logits' type T and the loss's function f, which computes in double.
template <class Call>
void on_loss(Dtype dtype, const CrossEntropyParams& p, Call&& call) {
  on_float(dtype, "cross_entropy", [&](auto zero) {
    with_nll_function<double>(p.function, [&](auto f) { call(zero, f); });
  });
}

}  // namespace

void softmax_forward(CpuContext& ctx, const View& x, const View& y) {
  on_float(x.dtype, "softmax", [&](auto zero) {
    using T = decltype(zero);
    const int64_t k = columns_of(x);
    const T* from = x.as<T>();
    T* to = y.as<T>();
    for_rows(ctx, rows_of(x), k, [=](int64_t i) {
      const double lse = log_sum_exp(from + i * k, k);
      for (int64_t c = 0; c < k; ++c)
        to[i * k + c] = static_cast<T>(std::exp(from[i * k + c] - lse));
    });
  });
}

void softmax_backward(CpuContext& ctx, const View& dy, const View& y, const View& dx) {
  on_float(y.dtype, "softmax", [&](auto zero) {
    using T = decltype(zero);
    const int64_t k = columns_of(y);
    const T *g = dy.as<T>(), *p = y.as<T>();
    T* to = dx.as<T>();
    for_rows(ctx, rows_of(y), k, [=](int64_t i) {
      double dot = 0;
      for (int64_t c = i * k; c < (i + 1) * k; ++c) dot += double(g[c]) * p[c];
      for (int64_t c = i * k; c < (i + 1) * k; ++c) to[c] = static_cast<T>(p[c] * (g[c] - dot));
    });
  });
}

void log_softmax_forward(CpuContext& ctx, const View& x, const View& y) {
  on_float(x.dtype, "log_softmax", [&](auto zero) {
    using T = decltype(zero);
    const int64_t k = columns_of(x);
    const T* from = x.as<T>();
    T* to = y.as<T>();
    for_rows(ctx, rows_of(x), k, [=](int64_t i) {
      const double lse = log_sum_exp(from + i * k, k);
      for (int64_t c = i * k; c < (i + 1) * k; ++c) to[c] = static_cast<T>(from[c] - lse);
    });
  });
}

void log_softmax_backward(CpuContext& ctx, const View& dy, const View& y, const View& dx) {
  on_float(y.dtype, "log_softmax", [&](auto zero) {
    using T = decltype(zero);
    const int64_t k = columns_of(y);
    const T *g = dy.as<T>(), *logp = y.as<T>();
    T* to = dx.as<T>();
    for_rows(ctx, rows_of(y), k, [=](int64_t i) {
      double sum = 0;
      for (int64_t c = i * k; c < (i + 1) * k; ++c) sum += g[c];
      for (int64_t c = i * k; c < (i + 1) * k; ++c)
        to[c] = static_cast<T>(g[c] - std::exp(double(logp[c])) * sum);
    });
  });
}

void cross_entropy_forward(CpuContext& ctx, const View& logits, const View& labels,
                           const View& targets, const View& loss, const View& lse,
                           const CrossEntropyParams& p) {
  on_loss(logits.dtype, p, [&](auto zero, auto f) {
    using T = decltype(zero);
    const int64_t k = columns_of(logits);
    const T* z = logits.as<T>();
    const T* soft = targets.defined() ? targets.as<T>() : nullptr;
    const int64_t* label = labels.defined() ? labels.as<int64_t>() : nullptr;
    T* out = loss.as<T>();
    double* norm = lse.as<double>();
    for_rows(ctx, rows_of(logits), k, [=](int64_t i) {
      const double total = log_sum_exp(z + i * k, k);
      norm[i] = total;
      if (label && label[i] == p.ignore_index) {
        out[i] = 0;
        return;
      }
      check(!label || (label[i] >= 0 && label[i] < k), "[cross_entropy] label",
            label ? label[i] : 0, "of row", i, "is outside [0,", k, ")");
      if (label && p.label_smoothing == 0) {
        out[i] = static_cast<T>(f.value(total - z[i * k + label[i]]));
        return;
      }
      const TargetRow<T> y{soft ? soft + i * k : nullptr, label ? label[i] : -1, p.label_smoothing,
                           k};
      double sum = 0;
      for (int64_t c = 0; c < k; ++c) {
        const double weight = y(c);
        if (weight != 0) sum += weight * f.value(total - z[i * k + c]);  // 0 * inf is not a loss
      }
      out[i] = static_cast<T>(sum);
    });
  });
}

void cross_entropy_backward(CpuContext& ctx, const View& g, const View& logits, const View& labels,
                            const View& targets, const View& lse, const View& dlogits,
                            const CrossEntropyParams& p) {
  on_loss(logits.dtype, p, [&](auto zero, auto f) {
    using T = decltype(zero);
    const int64_t k = columns_of(logits);
    const T *z = logits.as<T>(), *scale = g.as<T>();
    const double* norm = lse.as<double>();
    const T* soft = targets.defined() ? targets.as<T>() : nullptr;
    const int64_t* label = labels.defined() ? labels.as<int64_t>() : nullptr;
    T* dz = dlogits.as<T>();
    for_rows(ctx, rows_of(logits), k, [=](int64_t i) {
      T* row = dz + i * k;
      if (label && label[i] == p.ignore_index) {
        std::fill(row, row + k, T(0));
        return;
      }
      const TargetRow<T> y{soft ? soft + i * k : nullptr, label ? label[i] : -1, p.label_smoothing,
                           k};
      using F = decltype(f);
      const auto weight = [&](int64_t c) {
        const double target = y(c);
        return target == 0 ? 0.0 : target * f.slope(norm[i] - z[i * k + c]);
      };
      double mass = 0;  // sum of the weights: 1 for cross-entropy and targets that sum to 1
      if (label && p.label_smoothing == 0)
        mass = weight(label[i]);
      else if (label && F::identity)
        mass = 1;
      else
        for (int64_t c = 0; c < k; ++c) mass += weight(c);
      for (int64_t c = 0; c < k; ++c)
        row[c] = static_cast<T>(scale[i] * (mass * std::exp(z[i * k + c] - norm[i]) - weight(c)));
    });
  });
}

}  // namespace ditto::kernels
