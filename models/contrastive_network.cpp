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
    : classifier_(*classifier) {
  add_child("classifier", std::move(classifier));
  check(classifier_.head() != nullptr, "[contrastive_network] the classifier has no head");
  if (kind == Projector::None) return;
  check(width >= 1, "[contrastive_network] the projector's width is", width);
  const int64_t features = classifier_.head()->weight().dim(1);
  mlp_ = &child<Mlp>("projector", kind == Projector::Mlp
                                      ? std::vector<int64_t>{features, features, width}
                                      : std::vector<int64_t>{features, width});
}

}  // namespace ditto::models
