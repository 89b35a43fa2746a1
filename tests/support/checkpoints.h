// For tests that compare trainings bit by bit.
#pragma once

#include <algorithm>
#include <cstring>

#include "apps/classification/trainer.h"

namespace ditto::testing {

// The state after the last step, the weights that an undisturbed run ends with among it.
inline apps::Checkpoint state_of(const apps::Trainer& trainer) {
  apps::Checkpoint out;
  trainer.save(out);
  for (auto* tensors : {&out.model, &out.optimizer})
    for (auto& [name, tensor] : *tensors) tensor = tensor.detach().clone();
  return out;
}

inline bool same_bits(const TensorMap& a, const TensorMap& b) {
  if (a.size() != b.size()) return false;
  return std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) {
    const Tensor &s = x.second, &t = y.second;
    const auto bytes = static_cast<size_t>(s.numel() * size_of(s.dtype()));
    return x.first == y.first && s.shape() == t.shape() && s.dtype() == t.dtype() &&
           std::memcmp(s.view().data, t.view().data, bytes) == 0;
  });
}

}  // namespace ditto::testing
