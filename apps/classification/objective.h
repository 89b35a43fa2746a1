// Objective: what a training minimises, by the name of its loss: a loss of the logits (losses.h), a
// loss of projected features (pair_losses.h), or both together.
//
// A loss of features alone trains no head: its training has two phases, the features first and then
// a linear classifier on the frozen features (Khosla et al. 2020, section 3.1; papers 002 and 003).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/classification/gradient_response.h"
#include "losses/losses.h"
#include "losses/pair_losses.h"
#include "models/contrastive_network.h"

namespace ditto::apps {

enum class LossKind {
  Logits,    // "cce", "t-cce", ...
  Features,  // "supcon", "tcl", "nt-xent", ...: pretraining, then a linear classifier
  Joint,     // "clce", "ce-supcon": (1 - lambda) cross-entropy + lambda times a loss of features
};

// All names, in the order help texts show them.
std::vector<std::string> objective_names();
// An unknown name throws with the list; so do the functions below.
LossKind loss_kind(const std::string& name);
// Whether the loss compares replicas of one image.
bool compares_replicas(const std::string& name);
// False for hard labels only: no mixed labels, no label smoothing.
bool takes_soft_targets(const std::string& name);
// The loss's own options (--loss-option).
std::vector<losses::LossOption> objective_options(const std::string& name);

// Whether the loss learns from another classifier (--teacher).
bool uses_teacher(const std::string& name);

// What a step trains.
enum class Phase {
  Classifier,  // everything, by the loss
  Pretrain,    // features and projector
  Linear,      // the head, by cross-entropy on frozen features in evaluation mode
};

class Objective {
 public:
  Objective(const std::string& name, const losses::LossConfig& config);

  // The head that the loss is made for.
  const nn::HeadOptions& head() const { return head_; }
  // Throws what the loss would throw in its first step, for option values that it does not take.
  void check_values() const;

  // Must be in evaluation mode and outlive the objective.
  void set_teacher(models::Classifier* teacher) { teacher_ = teacher; }

  struct Result {
    Tensor loss;     // scalar
    Tensor outputs;  // logits; in Phase::Pretrain the embeddings
  };
  // images (n, H, W, C); targets: labels i64 (n) or soft targets (n, K); context without a state,
  // which is the network's.
  Result operator()(models::ContrastiveNetwork& network, Phase phase, const Tensor& images,
                    const Tensor& targets, losses::StepContext context) const;

  // What the network must keep for the loss (ContrastiveNetwork::keep_loss_state); null for most.
  std::unique_ptr<nn::Module> make_state(const losses::TrainingShape& shape) const;
  // Whether a step cannot be the replay of another one (losses::differs_between_steps).
  bool differs_between_steps() const;

  // For the curves of paper 002, figure 3: the loss is SupCon or TCL with these.
  const ResponseOptions* response() const { return response_ ? &*response_ : nullptr; }
  // Whether positives are rows of one class, or else of one image.
  bool uses_labels() const { return uses_labels_; }

 private:
  LossKind kind_;
  std::string loss_name_;  // in losses.h or pair_losses.h
  std::map<std::string, double> options_;
  losses::ClassificationLoss logits_loss_;
  losses::PairLossByName pair_loss_;
  nn::HeadOptions head_;
  models::Classifier* teacher_ = nullptr;
  double lambda_ = 0;  // Joint
  bool uses_labels_ = true;
  std::optional<ResponseOptions> response_;
};

}  // namespace ditto::apps
