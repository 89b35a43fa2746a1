// Stochastic gradient descent with momentum. Update rule: kernels/optim_math.h.
#pragma once

#include "nn/optim/optimizer.h"

namespace ditto::nn {

struct SgdOptions {
  double lr = 0.1;
  double momentum = 0.9;
  bool nesterov = false;
  bool decoupled = false;  // weight decay scales the weights instead of entering the gradient
};

class Sgd : public Optimizer {
 public:
  Sgd(std::vector<ParameterGroup> groups, const SgdOptions& options);
  std::vector<NamedState> state() const override;

 private:
  void update(size_t group, double lr) override;

  SgdOptions options_;
  std::vector<std::vector<Tensor>> velocity_;
};

}  // namespace ditto::nn
