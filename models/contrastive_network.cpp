#include "models/contrastive_network.h"

namespace ditto::models {

Projector projector(const std::string& name) {
  if (name == "none") return Projector::None;
  if (name == "linear") return Projector::Linear;
  if (name == "mlp") return Projector::Mlp;
  fail("[projector] unknown projector '" + name + "'; known: none, linear, mlp");
}

ContrastiveNetwork::ContrastiveNetwork(std::unique_ptr<Classifier> classifier, Projector kind,
                                       int64_t width)
    : classifier_(*classifier), width_(width) {
  add_child("classifier", std::move(classifier));
  check(classifier_.head() != nullptr, "[contrastive_network] the classifier has no head");
  if (kind == Projector::None) return;
  check(width >= 1, "[contrastive_network] the projector's width is", width);
  const int64_t features = feature_width();
  mlp_ = &child<Mlp>("projector", kind == Projector::Mlp
                                      ? std::vector<int64_t>{features, features, width}
                                      : std::vector<int64_t>{features, width});
}

void ContrastiveNetwork::keep_loss_state(std::unique_ptr<nn::Module> state) {
  check(state != nullptr && loss_state_ == nullptr,
        "[contrastive_network] takes the state of one loss");
  loss_state_ = state.get();
  add_child("loss", std::move(state));
}

}  // namespace ditto::models
