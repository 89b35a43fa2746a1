// Dropout layer: drops elements with probability p while training, identity in evaluation.
#pragma once

#include "nn/layer.h"

namespace ditto::nn {

// Masks come from a counter-based stream: call t of a layer seeded with s always drops the same
// elements. nn::init gives every layer of a model its own seed. The number of calls is a buffer, so
// a resumed training continues with the masks an undisturbed one would have used.
class Dropout : public Layer {
 public:
  explicit Dropout(double p, uint64_t seed = 0);
  Tensor forward(const Tensor& x) override;
  void seed(uint64_t seed) override { seed_ = seed; }

 private:
  double p_;
  uint64_t seed_;
  Tensor& calls_;
};

}  // namespace ditto::nn
