// Sequential: layers applied one after the other, named "0", "1", ... as in PyTorch.
#pragma once

#include "nn/layer.h"

namespace ditto::nn {

class Sequential : public Layer {
 public:
  Sequential() = default;

  // Appends an L(args...) and returns it.
  template <class L, class... Args>
  L& add(Args&&... args) {
    L& layer = child<L>(std::to_string(layers_.size()), std::forward<Args>(args)...);
    layers_.push_back(&layer);
    return layer;
  }

  size_t size() const { return layers_.size(); }
  Layer& operator[](size_t i) { return *layers_.at(i); }

  Tensor forward(const Tensor& x) override {
    Tensor y = x;
    for (Layer* layer : layers_) y = (*layer)(y);
    return y;
  }

 private:
  std::vector<Layer*> layers_;
};

}  // namespace ditto::nn
