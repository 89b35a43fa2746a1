// Conv2d: NHWC convolution. x (N, H, W, I) -> (N, OH, OW, O); weight (O, k, k, I / groups), bias
// (O).
#pragma once

#include "autograd/ops/conv2d.h"
#include "nn/init.h"
#include "nn/layer.h"

namespace ditto::nn {

struct Conv2dOptions {
  int stride = 1;
  int padding = 0;
  int dilation = 1;
  int groups = 1;
  bool bias = true;
};

// Initialised by He et al. 2015: N(0, 2 / fan_out), the form ResNet papers use; bias 0.
class Conv2d : public Layer {
 public:
  Conv2d(int64_t in, int64_t out, int64_t kernel, const Conv2dOptions& options = {});
  Tensor forward(const Tensor& x) override;
  // For ops that compute the convolution together with its neighbours.
  const Tensor& weight() const { return weight_; }

 private:
  kernels::Conv2dParams params_;
  Tensor& weight_;
  Tensor* bias_ = nullptr;
};

}  // namespace ditto::nn
