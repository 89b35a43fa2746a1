#include "nn/optim/adam.h"

#include <cmath>

#include "core/on_device.h"
#include "kernels/optim.h"

namespace ditto::nn {

Adam::Adam(std::vector<ParameterGroup> groups, const AdamOptions& options)
    : Optimizer(std::move(groups), options.lr),
      options_(options),
      first_(zeros_like_parameters()),
      second_(zeros_like_parameters()) {
  for (double beta : {options.beta1, options.beta2})
    check(beta >= 0 && beta < 1, "[adam] beta must be in [0, 1):", beta);
  check(options.eps > 0, "[adam] eps must be positive:", options.eps);
}

std::vector<Optimizer::NamedState> Adam::state() const {
  std::vector<NamedState> out;
  append_state("first_moment", first_, out);
  append_state("second_moment", second_, out);
  return out;
}

void Adam::update(size_t group, double lr) {
  const ParameterGroup& g = groups_[group];
  PoolVector<kernels::AdamSlot> slots;
  for (size_t i = 0; i < g.parameters.size(); ++i)
    if (const Tensor grad = g.parameters[i].grad(); grad.defined())
      slots.push_back(
          {g.parameters[i].view(), grad.view(), first_[group][i].view(), second_[group][i].view()});
  if (slots.empty()) return;
  const double t = static_cast<double>(steps_);
  on_device(slots[0].weight.device, [&](auto& ctx) {
    kernels::adam_update(ctx, slots,
                         {.lr = lr,
                          .beta1 = options_.beta1,
                          .beta2 = options_.beta2,
                          .eps = options_.eps,
                          .weight_decay = g.weight_decay,
                          .decoupled = options_.decoupled,
                          .correction1 = 1 - std::pow(options_.beta1, t),
                          .correction2 = 1 - std::pow(options_.beta2, t)});
  });
}

}  // namespace ditto::nn
