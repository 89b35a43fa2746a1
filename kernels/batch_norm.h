// Batch normalisation over NHWC, with the ReLU and the residual add that follow it fused in.
//
//   y = act(gamma * (x - mean) * invstd + beta + residual),  act = ReLU or identity, statistics per
//   channel over N, H, W
//
// Source: Ioffe and Szegedy 2015, Algorithm 1. x, y, residual (..., C); gamma, beta, mean, invstd
// (C). f32 and f64; variances are merged block by block in double (Chan, Golub, LeVeque 1983),
// never as E[x^2] - E[x]^2 over everything.
#pragma once

#include "core/context.h"
#include "core/view.h"

namespace ditto::kernels {

// mean and biased variance of each channel. The result does not depend on the number of threads.
void batch_norm_statistics(CpuContext& ctx, const View& x, const View& mean, const View& variance);

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

}  // namespace ditto::kernels
