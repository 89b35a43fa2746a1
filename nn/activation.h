// Stateless layers for Sequential.
#pragma once

#include "autograd/ops/activations.h"
#include "autograd/ops/shape_ops.h"
#include "nn/layer.h"

namespace ditto::nn {

class Relu : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return relu(x); }
};

class Gelu : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return gelu(x); }
};

class Tanh : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return tanh(x); }
};

// (N, ...) -> (N, product of the rest).
class Flatten : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return flatten(x); }
};

}  // namespace ditto::nn
