// Batch normalisation over NHWC, with the ReLU and the residual add that follow it fused in.
//
//   y = act(gamma * (x - mean) * invstd + beta + residual),  act = ReLU or identity, statistics per
//   channel over N, H, W
//
// Source: Ioffe and Szegedy 2015, Algorithm 1. x, y, residual (..., C); gamma, beta, mean, invstd
// (C). f32, f64, or x, y, residual in bf16 and the others in f32; variances are merged block by
// block in double (Chan, Golub, LeVeque 1983), never as E[x^2] - E[x]^2 over everything.
#pragma once

#include "core/context.h"
#include "core/view.h"

namespace ditto::kernels {

// mean and biased variance of each channel. The result does not depend on the number of threads.
void batch_norm_statistics(CpuContext& ctx, const View& x, const View& mean, const View& variance);

struct BatchNormFinish {
  double eps = 1e-5, momentum = 0.1;
};
// What follows from the statistics: invstd = 1 / sqrt(variance + eps) and, where they are defined,
//   running_mean = (1 - momentum) running_mean + momentum mean, and running_var likewise with the
//   unbiased variance of `rows` values.
// `mean` is read for the running mean only. `variance` may be running_var itself when the running
// statistics stay as they are (undefined).
void batch_norm_finish(CpuContext& ctx, const View& mean, const View& variance, int64_t rows,
                       const BatchNormFinish& p, const View& invstd, const View& running_mean,
                       const View& running_var);

// Applies y = act((x - mean) * scale + beta + residual) with scale = gamma * invstd: subtracting
// first loses fewer digits than folding the mean into the shift, at the same cost. gamma, beta and
// residual may be undefined.
void batch_norm_apply(CpuContext& ctx, const View& x, const View& mean, const View& invstd,
                      const View& gamma, const View& beta, const View& residual, bool relu,
                      const View& y);

// Gradients. `y` is needed (defined) exactly when the ReLU was fused; dgamma, dbeta may be
// undefined. `dresidual`, where defined, receives dy through the ReLU's mask. `training`:
// statistics depend on x; otherwise they are constants.
void batch_norm_backward(CpuContext& ctx, const View& dy, const View& x, const View& y,
                         const View& mean, const View& invstd, const View& gamma, bool training,
                         const View& dx, const View& dgamma, const View& dbeta,
                         const View& dresidual);

// The same on the device of `ctx`.
void batch_norm_statistics(CudaContext& ctx, const View& x, const View& mean, const View& variance);
void batch_norm_finish(CudaContext& ctx, const View& mean, const View& variance, int64_t rows,
                       const BatchNormFinish& p, const View& invstd, const View& running_mean,
                       const View& running_var);
void batch_norm_apply(CudaContext& ctx, const View& x, const View& mean, const View& invstd,
                      const View& gamma, const View& beta, const View& residual, bool relu,
                      const View& y);
void batch_norm_backward(CudaContext& ctx, const View& dy, const View& x, const View& y,
                         const View& mean, const View& invstd, const View& gamma, bool training,
                         const View& dx, const View& dgamma, const View& dbeta,
                         const View& dresidual);

}  // namespace ditto::kernels
