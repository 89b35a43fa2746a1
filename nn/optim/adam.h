// Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019). Update rule:
// kernels/optim_math.h.
#pragma once

#include "nn/optim/optimizer.h"

namespace ditto::nn {

struct AdamOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  bool decoupled = false;  // true: AdamW
};

class Adam : public Optimizer {
 public:
  Adam(std::vector<ParameterGroup> groups, const AdamOptions& options);
  std::vector<NamedState> state() const override;

 private:
  void update(size_t group, double lr) override;

  AdamOptions options_;
  std::vector<std::vector<Tensor>> first_, second_;
};

}  // namespace ditto::nn
