#include "models/mlp.h"

#include "autograd/ops/activations.h"
#include "autograd/ops/shape_ops.h"

namespace ditto::models {

Mlp::Mlp(const std::vector<int64_t>& sizes, double dropout, const nn::HeadOptions& head) {
  check(sizes.size() >= 2, "[mlp] needs an input and an output size, got", sizes.size(), "sizes");
  const auto name = [](size_t i) { return "fc" + std::to_string(i + 1); };
  const size_t last = sizes.size() - 2;
  for (size_t i = 0; i < last; ++i)
    hidden_.push_back(&child<nn::Linear>(name(i), sizes[i], sizes[i + 1]));
  add_head(name(last), sizes[last], sizes[last + 1], head);
  for (size_t i = 0; dropout > 0 && i < hidden_.size(); ++i)
    dropouts_.push_back(&child<nn::Dropout>("dropout" + std::to_string(i + 1), dropout));
}

Tensor Mlp::features(const Tensor& x) {
  Tensor y = flatten(x);
  for (size_t i = 0; i < hidden_.size(); ++i) {
    y = relu((*hidden_[i])(y));
    if (!dropouts_.empty()) y = (*dropouts_[i])(y);
  }
  return y;
}

}  // namespace ditto::models
