// Optimizer: parameter groups, gradients and state; subclasses implement the update of one group.
#pragma once

#include <string>
#include <vector>

#include "nn/module.h"

namespace ditto::nn {

struct ParameterGroup {
  std::vector<Tensor> parameters;
  double weight_decay = 0;
  double lr_scale = 1;  // this group's rate is lr_scale times the optimizer's
};

// One group with all parameters; or, with `decay_norm_and_bias` false, two: parameters of one
// dimension (norm scales and shifts, biases) get no decay.
std::vector<ParameterGroup> parameter_groups(const Module& module, double weight_decay,
                                             bool decay_norm_and_bias = true);

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // Updates every parameter that has a gradient.
  void step();
  void zero_grad();
  double lr() const { return lr_; }
  void set_lr(double lr);
  int64_t steps() const { return steps_; }
  const std::vector<ParameterGroup>& groups() const { return groups_; }

  // The state tensors under stable names ("velocity.0.3": group 0, parameter 3), aliases of the
  // live ones; together with steps() they are all that a resumed run needs.
  struct NamedState {
    std::string name;
    Tensor tensor;
  };
  virtual std::vector<NamedState> state() const = 0;
  void set_steps(int64_t steps) { steps_ = steps; }

 protected:
  Optimizer(std::vector<ParameterGroup> groups, double lr);
  virtual void update(size_t group, double lr) = 0;
  // One zero tensor like each parameter, per group.
  std::vector<std::vector<Tensor>> zeros_like_parameters() const;
  static void append_state(const std::string& name, const std::vector<std::vector<Tensor>>& state,
                           std::vector<NamedState>& out);

  std::vector<ParameterGroup> groups_;
  int64_t steps_ = 0;

 private:
  double lr_;
};

// Scales all gradients by max_norm / norm when their joint 2-norm exceeds max_norm; returns the
// norm before. As in Pascanu et al. 2013. A non-finite norm scales nothing.
double clip_grad_norm(const std::vector<Tensor>& parameters, double max_norm);

}  // namespace ditto::nn
