// Classifier: a network in two parts, features and a linear head, that can be used apart:
// contrastive losses read the features, a linear evaluation trains the head alone.
#pragma once

#include "nn/head.h"

namespace ditto::models {

class Classifier : public nn::Layer {
 public:
  // x (N, H, W, C) -> what the head reads, (N, d).
  virtual Tensor features(const Tensor& x) = 0;
  // features (N, d) -> logits (N, classes); without a head the features themselves.
  Tensor classify(const Tensor& features) { return head_ ? (*head_)(features) : features; }
  Tensor forward(const Tensor& x) override { return classify(features(x)); }
  // Null for an encoder (num_classes 0).
  nn::Linear* head() const { return head_; }
  const nn::HeadOptions& head_options() const { return head_options_; }

 protected:
  // Makes the head as the child `name`; without classes there is none.
  void add_head(const std::string& name, int64_t features, int64_t classes,
                const nn::HeadOptions& options);

 private:
  nn::Linear* head_ = nullptr;
  nn::HeadOptions head_options_;
};

}  // namespace ditto::models
