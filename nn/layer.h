// Layer: a module that maps one tensor to one tensor. Models with other signatures derive from
// Module.
#pragma once

#include "nn/module.h"

namespace ditto::nn {

class Layer : public Module {
 public:
  virtual Tensor forward(const Tensor& x) = 0;
  Tensor operator()(const Tensor& x) { return forward(x); }
};

}  // namespace ditto::nn
