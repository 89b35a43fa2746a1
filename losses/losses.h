// Classification losses by name, for command lines.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "losses/loss_transform.h"
#include "losses/step_context.h"
#include "nn/head.h"

namespace ditto::losses {

// One of a loss's own options.
struct LossOption {
  std::string name;
  double value;  // default
};
// Defaults overwritten by `given`. Throws for a name that is not in `known`, with those that are.
std::map<std::string, double> option_values(const std::string& loss,
                                            const std::vector<LossOption>& known,
                                            const std::map<std::string, double>& given);

// A value that must be whole, such as a count. Throws otherwise.
int64_t whole_option(const std::string& name, double value);

// What a classifier makes of a batch. Most losses read the logits alone.
struct ClassifierOutput {
  Tensor logits;         // (n, K)
  Tensor features = {};  // (n, d), what the head read
  Tensor weights = {};   // (K, d), the head's
  Tensor teacher = {};   // (n, K), logits of another classifier; a constant

  ClassifierOutput(const Tensor& z) : logits(z) {}
  ClassifierOutput(const Tensor& z, const Tensor& x, const Tensor& w, const Tensor& t = {})
      : logits(z), features(x), weights(w), teacher(t) {}
  operator const Tensor&() const { return logits; }
};

// target: labels i64 (n) or soft targets (n, K); context: most losses need no more than the ids of
// the images, which a tensor can stand for -> scalar.
using ClassificationLoss = std::function<Tensor(const ClassifierOutput& output,
                                                const Tensor& target, const StepContext& context)>;

struct LossConfig {
  double label_smoothing = 0;
  double rho = 1;            // t-*: weight of the KL term
  bool anchor_grad = false;  // t-*: differentiate through the anchor
  GroupMixing mixing = GroupMixing::GroupConsistent;
  // The loss's own options by name (loss_options), e.g. {"gamma", 2}; those left out have their
  // defaults.
  std::map<std::string, double> options = {};
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
// The head whose logits the loss is made for: angular losses want cosines, scaled. `options` as in
// LossConfig.
nn::HeadOptions loss_head(const std::string& name,
                          const std::map<std::string, double>& options = {});
// Whether the loss reads ClassifierOutput::features and weights.
bool uses_features(const std::string& name);
// Whether the loss reads ClassifierOutput::teacher.
bool uses_teacher(const std::string& name);
// What the loss keeps between steps, for nn::init and StepContext::state; null for most.
std::unique_ptr<nn::Module> make_loss_state(const std::string& name, const TrainingShape& shape,
                                            const std::map<std::string, double>& options = {});
// Whether a step does more on the host than launch what the step before launched (it draws numbers
// or looks samples up), so that a captured step must not be replayed.
bool differs_between_steps(const std::string& name);

}  // namespace ditto::losses
