// Layer: a module that maps one tensor to one tensor. Models with other signatures derive from
// Module.
#pragma once

#include "autograd/profiler.h"
#include "nn/module.h"

namespace ditto::nn {

class Layer : public Module {
 public:
  virtual Tensor forward(const Tensor& x) = 0;
  Tensor operator()(const Tensor& x) {
    ProfileLayer timed(this);
    return forward(x);
  }
};

// Gives the profiler the dotted names of the module's layers.
void name_layers(Profiler& profiler, Module& module);

}  // namespace ditto::nn
