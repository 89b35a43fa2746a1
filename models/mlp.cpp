#include "models/mlp.h"

#include "autograd/ops/activations.h"
#include "autograd/ops/shape_ops.h"

namespace ditto::models {

Mlp::Mlp(const std::vector<int64_t>& sizes) {
  check(sizes.size() >= 2, "[mlp] needs an input and an output size, got", sizes.size(), "sizes");
  for (size_t i = 0; i + 1 < sizes.size(); ++i)
    layers_.push_back(&child<nn::Linear>("fc" + std::to_string(i + 1), sizes[i], sizes[i + 1]));
}

Tensor Mlp::forward(const Tensor& x) {
  Tensor y = flatten(x);
  for (size_t i = 0; i < layers_.size(); ++i)
    y = i + 1 < layers_.size() ? relu((*layers_[i])(y)) : (*layers_[i])(y);
  return y;
}

}  // namespace ditto::models
