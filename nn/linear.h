// Linear: y = x W^T + b. x (..., I) -> (..., O); weight (O, I), bias (O).
#pragma once

#include "nn/init.h"
#include "nn/layer.h"

namespace ditto::nn {

struct LinearOptions {
  bool bias = true;
  // Set when the input is a flattened (H, W, C) image: weights are then stored in files in
  // PyTorch's (C, H, W) order.
  Shape flattened_image;
};

// Initialised as in PyTorch: weight and bias U(-1/sqrt(I), 1/sqrt(I)).
class Linear : public Layer {
 public:
  Linear(int64_t in, int64_t out, const LinearOptions& options = {});
  Tensor forward(const Tensor& x) override;
  // (O, I).
  const Tensor& weight() const { return weight_; }
  // (O), or undefined.
  Tensor bias() const { return bias_ ? *bias_ : Tensor(); }

 private:
  Tensor& weight_;
  Tensor* bias_ = nullptr;
};

}  // namespace ditto::nn
