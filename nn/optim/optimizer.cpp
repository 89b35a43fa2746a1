#include "nn/optim/optimizer.h"

#include <cmath>
#include <set>

#include "autograd/function.h"
#include "core/on_device.h"
#include "kernels/elementwise.h"
#include "kernels/optim.h"

namespace ditto::nn {

std::vector<ParameterGroup> parameter_groups(const Module& module, double weight_decay,
                                             bool decay_norm_and_bias) {
  if (decay_norm_and_bias) return {{module.parameters(), weight_decay, 1}};
  ParameterGroup decayed{{}, weight_decay, 1}, plain{{}, 0, 1};
  for (const Tensor& p : module.parameters())
    (p.rank() > 1 ? decayed : plain).parameters.push_back(p);
  return {decayed, plain};
}

Optimizer::Optimizer(std::vector<ParameterGroup> groups, double lr)
    : groups_(std::move(groups)), lr_(0) {
  set_lr(lr);
  std::set<const Autograd*> seen;
  for (const ParameterGroup& group : groups_) {
    check(std::isfinite(group.weight_decay) && group.weight_decay >= 0,
          "[optimizer] weight decay must be finite and >= 0:", group.weight_decay);
    check(std::isfinite(group.lr_scale) && group.lr_scale >= 0,
          "[optimizer] rate factor of a group must be finite and >= 0:", group.lr_scale);
    for (const Tensor& p : group.parameters) {
      // A recorded result requires gradients too, but never receives one.
      check(p.defined() && p.requires_grad() && !p.autograd()->node && p.is_contiguous(),
            "[optimizer] not a trainable parameter:", p);
      check(seen.insert(p.autograd().get()).second,
            "[optimizer] a parameter is given twice and would be updated twice:", p);
    }
  }
}

void Optimizer::set_lr(double lr) {
  check(std::isfinite(lr) && lr >= 0, "[optimizer] learning rate must be finite and >= 0:", lr);
  lr_ = lr;
}

void Optimizer::step() {
  ++steps_;
  for (size_t g = 0; g < groups_.size(); ++g) {
    update(g, lr_ * groups_[g].lr_scale);
    for (const Tensor& p : groups_[g].parameters)
      if (p.grad().defined()) p.storage()->bump_version();
  }
}

void Optimizer::zero_grad() {
  for (const ParameterGroup& group : groups_)
    for (const Tensor& p : group.parameters) p.zero_grad();
}

std::vector<std::vector<Tensor>> Optimizer::zeros_like_parameters() const {
  std::vector<std::vector<Tensor>> out;
  for (const ParameterGroup& group : groups_) {
    out.emplace_back();
    for (const Tensor& p : group.parameters)
      out.back().push_back(Tensor::zeros(p.shape(), p.dtype(), p.device()));
  }
  return out;
}

void Optimizer::append_state(const std::string& name, const std::vector<std::vector<Tensor>>& state,
                             std::vector<NamedState>& out) {
  for (size_t g = 0; g < state.size(); ++g)
    for (size_t i = 0; i < state[g].size(); ++i)
      out.push_back({name + "." + std::to_string(g) + "." + std::to_string(i), state[g][i]});
}

double clip_grad_norm(const std::vector<Tensor>& parameters, double max_norm) {
  check(max_norm > 0, "[clip_grad_norm] max_norm must be positive:", max_norm);
  std::vector<View> grads;
  for (const Tensor& p : parameters)
    if (Tensor grad = p.grad(); grad.defined()) grads.push_back(grad.view());
  if (grads.empty()) return 0;
  const double norm = on_device(
      grads[0].device, [&](auto& ctx) { return std::sqrt(kernels::sum_of_squares(ctx, grads)); });
  if (norm > max_norm && std::isfinite(norm))
    for (const View& grad : grads)
      on_device(grad.device,
                [&](auto& ctx) { kernels::scale(ctx, grad, max_norm / (norm + 1e-6), grad); });
  return norm;
}

}  // namespace ditto::nn
