#include "nn/optim/sgd.h"

#include "core/on_device.h"
#include "kernels/optim.h"

namespace ditto::nn {

Sgd::Sgd(std::vector<ParameterGroup> groups, const SgdOptions& options)
    : Optimizer(std::move(groups), options.lr),
      options_(options),
      velocity_(zeros_like_parameters()) {
  check(options.momentum >= 0 && options.momentum < 1,
        "[sgd] momentum must be in [0, 1):", options.momentum);
  check(!options.nesterov || options.momentum > 0, "[sgd] Nesterov needs momentum > 0");
}

std::vector<Optimizer::NamedState> Sgd::state() const {
  std::vector<NamedState> out;
  append_state("velocity", velocity_, out);
  return out;
}

void Sgd::update(size_t group, double lr) {
  const ParameterGroup& g = groups_[group];
  PoolVector<kernels::SgdSlot> slots;
  for (size_t i = 0; i < g.parameters.size(); ++i)
    if (const Tensor grad = g.parameters[i].grad(); grad.defined())
      slots.push_back({g.parameters[i].view(), grad.view(), velocity_[group][i].view()});
  if (slots.empty()) return;
  on_device(slots[0].weight.device, [&](auto& ctx) {
    kernels::sgd_update(ctx, slots,
                        {.lr = lr,
                         .momentum = options_.momentum,
                         .weight_decay = g.weight_decay,
                         .nesterov = options_.nesterov,
                         .decoupled = options_.decoupled});
  });
}

}  // namespace ditto::nn
