#include "nn/layer.h"

namespace ditto::nn {

void name_layers(Profiler& profiler, Module& module) {
  module.visit([&](const std::string& name, Module& part) {
    // Layer::operator() passes its own address, which may differ from its Module's.
    if (auto* layer = dynamic_cast<Layer*>(&part))
      profiler.name_layer(layer, name.empty() ? "(model)" : name);
  });
}

}  // namespace ditto::nn
