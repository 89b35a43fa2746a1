// BatchNorm2d over the last dimension: statistics per channel over N, H, W. Ioffe and Szegedy 2015.
#pragma once

#include "nn/layer.h"

namespace ditto::nn {

struct BatchNormOptions {
  double eps = 1e-5;
  double momentum = 0.1;  // weight of the batch in the running statistics, as in PyTorch
};

// Parameters weight (1), bias (0); buffers running_mean (0), running_var (1), num_batches_tracked
// (i64).
class BatchNorm2d : public Layer {
 public:
  explicit BatchNorm2d(int64_t channels, const BatchNormOptions& options = {});
  Tensor forward(const Tensor& x) override { return normalize(x, false, Tensor()); }
  // relu(bn(x)) and relu(bn(x) + residual) in one pass over memory.
  Tensor relu(const Tensor& x) { return normalize(x, true, Tensor()); }
  Tensor add_relu(const Tensor& x, const Tensor& residual) { return normalize(x, true, residual); }

  // For ops that compute the norm together with its neighbours: its tensors, and what else training
  // does at every call.
  const Tensor& weight() const { return weight_; }
  const Tensor& bias() const { return bias_; }
  const Tensor& running_mean() const { return running_mean_; }
  const Tensor& running_var() const { return running_var_; }
  const BatchNormOptions& options() const { return options_; }
  void count_batch();

 private:
  Tensor normalize(const Tensor& x, bool relu, const Tensor& residual);

  BatchNormOptions options_;
  Tensor &weight_, &bias_, &running_mean_, &running_var_, &batches_;
};

}  // namespace ditto::nn
