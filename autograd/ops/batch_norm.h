// Batch normalisation with fused ReLU and residual add. Formula: kernels/batch_norm.h.
#pragma once

#include "core/tensor.h"

namespace ditto {

struct BatchNormParams {
  double eps = 1e-5;
  double momentum = 0.1;  // running = (1 - momentum) running + momentum batch
  bool training = true;   // batch statistics and updated running ones; else the running statistics
  bool relu = false;      // y = max(0, ...)
};

// x (..., C); gamma, beta (C) or both undefined; running_mean, running_var (C), updated in place
// while training (the variance unbiased, as in PyTorch) and undefined for none; residual (x's
// shape) is added before the ReLU, or undefined. Training needs more than one value per channel.
// All of one dtype, f32 or f64; with x and residual in bf16 the others are f32.
Tensor batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, Tensor running_mean,
                  Tensor running_var, const BatchNormParams& params = {},
                  const Tensor& residual = Tensor());

}  // namespace ditto
