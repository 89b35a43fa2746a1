// Classification losses by name, for command lines.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "losses/loss_transform.h"

namespace ditto::losses {

// logits (n, K), target (labels i64 (n) or soft targets (n, K)), groups (n) i64 source ids ->
// scalar.
using ClassificationLoss =
    std::function<Tensor(const Tensor& logits, const Tensor& target, const Tensor& groups)>;

struct LossConfig {
  double label_smoothing = 0;
  double rho = 1;            // t-*: weight of the KL term
  bool anchor_grad = false;  // t-*: differentiate through the anchor
  GroupMixing mixing = GroupMixing::GroupConsistent;
  // The loss's own options by name (loss_options), e.g. {"gamma", 2}; those left out have their
  // defaults.
  std::map<std::string, double> options = {};
};

// One of a loss's own options.
struct LossOption {
  std::string name;
  double value;  // default
};

// "cce", "t-cce", ...: every loss and LossTransform of it, in the order help texts show them.
std::vector<std::string> loss_names();
// An unknown name throws with the list; so does an unknown option, with the loss's.
ClassificationLoss make_loss(const std::string& name, const LossConfig& config);
// The options of the loss itself; the same for "x" and "t-x".
std::vector<LossOption> loss_options(const std::string& name);
// True for the losses that pair replicas of one image.
bool uses_groups(const std::string& name);
// False for losses that take hard labels only: no mixed labels, no label smoothing.
bool takes_soft_targets(const std::string& name);

}  // namespace ditto::losses
