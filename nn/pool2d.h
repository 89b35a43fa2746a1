// Pooling layers for Sequential. x (N, H, W, C).
#pragma once

#include "autograd/ops/pool2d.h"
#include "nn/layer.h"

namespace ditto::nn {

class MaxPool2d : public Layer {
 public:
  explicit MaxPool2d(const Pool2dParams& params = {}) : params_(params) {}
  Tensor forward(const Tensor& x) override { return max_pool2d(x, params_); }

 private:
  Pool2dParams params_;
};

class AvgPool2d : public Layer {
 public:
  explicit AvgPool2d(const Pool2dParams& params = {}) : params_(params) {}
  Tensor forward(const Tensor& x) override { return avg_pool2d(x, params_); }

 private:
  Pool2dParams params_;
};

// (N, H, W, C) -> (N, C).
class GlobalAvgPool2d : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return global_avg_pool2d(x); }
};

}  // namespace ditto::nn
