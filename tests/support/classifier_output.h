// What a classifier with a given head makes of features, for tests of losses by name.
#pragma once

#include "autograd/ops.h"
#include "losses/angular.h"
#include "losses/losses.h"
#include "nn/init.h"

namespace ditto::testing {

// x (n, K) as features under the class weights I (K, K) and the head that the loss wants: for most
// losses x itself are the logits. The teacher's logits do not depend on x.
inline losses::ClassifierOutput classifier_output(
    const std::string& loss, const Tensor& x, const std::map<std::string, double>& options = {}) {
  const int64_t n = x.dim(0), k = x.dim(1);
  std::vector<double> identity(static_cast<size_t>(k * k), 0.0), taught;
  for (int64_t c = 0; c < k; ++c) identity[static_cast<size_t>(c * k + c)] = 1;
  for (int64_t i = 0; i < n * k; ++i) taught.push_back(double(i * 7 % 5) - 2);
  const auto constant = [&](const std::vector<double>& values, const Shape& shape) {
    return Tensor::from(values, shape).to(x.dtype()).to(x.device());
  };
  const Tensor weights = constant(identity, {k, k});
  const double scale = losses::loss_head(loss, options).cosine_scale;
  return {scale > 0 ? losses::class_cosines(x, weights) * scale : x, x, weights,
          constant(taught, {n, k})};
}

// What the loss keeps between steps, as a training of 16 images with features and classes like
// those of x (n, K) makes it; null for most.
inline std::unique_ptr<nn::Module> loss_state(const std::string& loss, const Tensor& x,
                                              const std::map<std::string, double>& options = {}) {
  const int64_t k = x.dim(1);
  auto state = losses::make_loss_state(
      loss, {.samples = 16, .features = k, .class_counts = std::vector<int64_t>(size_t(k), 4)},
      options);
  if (!state) return state;
  nn::init(*state, 5);
  if (x.dtype() == Dtype::F64) state->to(Dtype::F64);
  state->to(x.device());
  return state;
}

}  // namespace ditto::testing
