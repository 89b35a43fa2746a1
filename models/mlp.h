// Multi-layer perceptron: flatten, then linear layers with ReLU between them.
#pragma once

#include "nn/linear.h"

namespace ditto::models {

// sizes = {input, hidden..., output}; at least two.
class Mlp : public nn::Layer {
 public:
  explicit Mlp(const std::vector<int64_t>& sizes);
  // x (N, ...) with sizes[0] elements per sample -> (N, sizes.back()).
  Tensor forward(const Tensor& x) override;

 private:
  std::vector<nn::Linear*> layers_;
};

}  // namespace ditto::models
