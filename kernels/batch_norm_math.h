// What both devices do to one channel once its statistics are known.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/batch_norm.h"
#include "kernels/host_device.h"

namespace ditto::kernels {

// n / (n - 1) of n values: running variances are unbiased.
inline double unbiased_factor(int64_t rows) {
  const double n = static_cast<double>(rows);
  return n / (n - 1);
}

// Channel c of batch_norm_finish; running_* null: they stay.
template <class T>
HD void finish_channel(int64_t c, const T* mean, const T* variance, const BatchNormFinish& p,
                       double unbiased, T* invstd, T* running_mean, T* running_var) {
  const double var = static_cast<double>(variance[c]);
  invstd[c] = static_cast<T>(1 / std::sqrt(var + p.eps));
  if (!running_mean) return;
  const double keep = 1 - p.momentum;
  running_mean[c] = static_cast<T>(keep * static_cast<double>(running_mean[c]) +
                                   p.momentum * static_cast<double>(mean[c]));
  running_var[c] =
      static_cast<T>(keep * static_cast<double>(running_var[c]) + p.momentum * unbiased * var);
}

}  // namespace ditto::kernels
