// Classification losses by name, for command lines.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "losses/loss_transform.h"

namespace ditto::losses {

// logits (n, K), target (labels i64 (n) or soft targets (n, K)), groups (n) i64 source ids ->
// scalar.
using ClassificationLoss =
    std::function<Tensor(const Tensor& logits, const Tensor& target, const Tensor& groups)>;

// Options that some of the losses read.
struct LossConfig {
  double label_smoothing = 0;
  double rho = 1;            // t-*: weight of the KL term
  bool anchor_grad = false;  // t-*: differentiate through the anchor
  GroupMixing mixing = GroupMixing::GroupConsistent;
};

// "cce" (cross-entropy) and "t-cce" (LossTransform of it), in the order help texts show them.
std::vector<std::string> loss_names();
// An unknown name throws with the list.
ClassificationLoss make_loss(const std::string& name, const LossConfig& config);
// True for the losses that pair replicas of one image.
bool uses_groups(const std::string& name);

}  // namespace ditto::losses
