// Multi-layer perceptron: flatten, then linear layers with ReLU, and perhaps dropout, between them.
#pragma once

#include "models/classifier.h"
#include "nn/dropout.h"

namespace ditto::models {

// sizes = {input, hidden..., output}; at least two. `dropout`: part of each hidden layer's values
// that training sets to zero (Srivastava et al. 2014).
class Mlp : public Classifier {
 public:
  explicit Mlp(const std::vector<int64_t>& sizes, double dropout = 0,
               const nn::HeadOptions& head = {});
  // x (N, ...) with sizes[0] elements per sample -> the last hidden layer's values.
  Tensor features(const Tensor& x) override;

 private:
  std::vector<nn::Linear*> hidden_;
  std::vector<nn::Dropout*> dropouts_;  // one after each hidden layer, or none
};

}  // namespace ditto::models
