// ContrastiveNetwork: a classifier with a projector beside its head: contrastive losses read the
// projected features and are dropped with the projector once the features have been learnt.
// Source: Chen et al. 2020 (SimCLR), section 2.1; papers 002 (section 4) and 003.
#pragma once

#include <memory>

#include "models/mlp.h"

namespace ditto::models {

enum class Projector {
  None,    // the features themselves, as in CLCE (paper 003, section 3)
  Linear,  // one layer
  Mlp,     // two layers with ReLU between them, the hidden one as wide as the features
};
// "none", "linear", "mlp"; anything else throws with the list.
Projector projector(const std::string& name);

// Children: "classifier" and, unless it is None, "projector". The head must exist: its input gives
// the features' width.
class ContrastiveNetwork : public nn::Layer {
 public:
  ContrastiveNetwork(std::unique_ptr<Classifier> classifier, Projector kind, int64_t width);
  // x (N, H, W, C) -> logits, like the classifier.
  Tensor forward(const Tensor& x) override { return classifier_(x); }
  // features (N, d) -> embeddings (N, width), not normalised; without projector the features.
  Tensor project(const Tensor& features) { return mlp_ ? (*mlp_)(features) : features; }
  Classifier& classifier() { return classifier_; }
  nn::Module* projector() { return mlp_; }  // null for Projector::None
  // Widths of what the head and of what a loss of features reads.
  int64_t feature_width() const { return classifier_.head()->weight().dim(1); }
  int64_t embedding_width() const { return mlp_ ? width_ : feature_width(); }
  // Takes what the loss keeps between steps as the child "loss": its parameters are trained with
  // the network's, and it moves with them. Once at most.
  void keep_loss_state(std::unique_ptr<nn::Module> state);
  nn::Module* loss_state() { return loss_state_; }  // null for most losses

 private:
  Classifier& classifier_;
  Mlp* mlp_ = nullptr;
  int64_t width_ = 0;
  nn::Module* loss_state_ = nullptr;
};

}  // namespace ditto::models
