#include "nn/optim/ema.h"

#include <algorithm>

#include "core/on_device.h"
#include "kernels/optim.h"

namespace ditto::nn {

Ema::Ema(const Module& module, const EmaOptions& options)
    : options_(options), parameters_(module.named_parameters()) {
  check(options.decay >= 0 && options.decay < 1, "[ema] decay must be in [0, 1):", options.decay);
  for (const NamedParameter& p : parameters_) averages_.push_back(p.tensor.detach().clone());
}

void Ema::update() {
  ++updates_;
  if (parameters_.empty()) return;
  const double t = static_cast<double>(updates_);
  const double decay =
      options_.warmup ? std::min(options_.decay, (1 + t) / (10 + t)) : options_.decay;
  PoolVector<kernels::EmaSlot> slots;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    slots.push_back({parameters_[i].tensor.view(), averages_[i].view()});
    averages_[i].storage()->bump_version();
  }
  on_device(slots[0].value.device,
            [&](auto& ctx) { kernels::ema_update(ctx, slots, {.decay = decay}); });
}

void Ema::swap() {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    Tensor live = parameters_[i].tensor.detach();
    const Tensor kept = live.clone();
    live.copy_(averages_[i]);
    averages_[i].copy_(kept);
  }
}

std::vector<Ema::NamedState> Ema::state() const {
  std::vector<NamedState> out;
  for (size_t i = 0; i < parameters_.size(); ++i)
    out.push_back({parameters_[i].name, averages_[i]});
  return out;
}

}  // namespace ditto::nn
