#include "apps/classification/objective.h"

#include <algorithm>
#include <cmath>

#include "autograd/grad_mode.h"
#include "losses/cross_entropy.h"
#include "losses/joint.h"

namespace ditto::apps {
namespace {

struct JointLoss {
  const char* name;
  const char* pair_loss;
  double lambda, temperature;  // defaults
};
// Paper 003, Eq. 3 with the lambda and temperature of its section 4; its baseline of table 3.
constexpr JointLoss kJoint[] = {{"clce", "lacln", 0.9, 0.5}, {"ce-supcon", "supcon", 0.9, 0.5}};

const JointLoss* find_joint(const std::string& name) {
  const auto found = std::find_if(std::begin(kJoint), std::end(kJoint),
                                  [&](const JointLoss& joint) { return name == joint.name; });
  return found == std::end(kJoint) ? nullptr : found;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

std::vector<std::string> objective_names() {
  std::vector<std::string> names = losses::loss_names();
  for (const JointLoss& joint : kJoint) names.push_back(joint.name);
  for (const std::string& name : losses::pair_loss_names()) names.push_back(name);
  return names;
}

LossKind loss_kind(const std::string& name) {
  if (find_joint(name)) return LossKind::Joint;
  if (contains(losses::pair_loss_names(), name)) return LossKind::Features;
  losses::uses_groups(name);  // throws for an unknown name
  return LossKind::Logits;
}

bool compares_replicas(const std::string& name) {
  return loss_kind(name) != LossKind::Logits || losses::uses_groups(name);
}

bool takes_soft_targets(const std::string& name) {
  return loss_kind(name) == LossKind::Logits && losses::takes_soft_targets(name);
}

std::vector<losses::LossOption> objective_options(const std::string& name) {
  if (const JointLoss* joint = find_joint(name)) {
    std::vector<losses::LossOption> options = {{"lambda", joint->lambda}};
    for (losses::LossOption option : losses::pair_loss_options(joint->pair_loss)) {
      if (option.name == "temperature") option.value = joint->temperature;
      options.push_back(option);
    }
    return options;
  }
  if (contains(losses::pair_loss_names(), name)) return losses::pair_loss_options(name);
  return losses::loss_options(name);
}

bool uses_teacher(const std::string& name) {
  return loss_kind(name) == LossKind::Logits && losses::uses_teacher(name);
}

Objective::Objective(const std::string& name, const losses::LossConfig& config)
    : kind_(loss_kind(name)), loss_name_(name), options_(config.options) {
  if (kind_ == LossKind::Logits) {
    logits_loss_ = losses::make_loss(name, config);
    head_ = losses::loss_head(name, config.options);
    return;
  }
  std::map<std::string, double> values =
      losses::option_values(name, objective_options(name), config.options);
  std::string pair = name;
  if (const JointLoss* joint = find_joint(name)) {
    pair = joint->pair_loss;
    lambda_ = values.at("lambda");
    values.erase("lambda");
    check(lambda_ >= 0 && lambda_ <= 1, "[objective] lambda of", name,
          "is outside [0, 1]:", lambda_);
  }
  loss_name_ = pair;
  options_ = values;
  pair_loss_ = losses::make_pair_loss(pair, values);
  uses_labels_ = losses::uses_labels(pair);
  if (name == "supcon" || name == "tcl" || name == "tcl-self") {
    response_ = {.temperature = values.at("temperature"), .k1 = 0, .k2 = 1};
    if (name != "supcon") {
      response_->k1 = values.at("k1");
      response_->k2 = values.at("k2");
    }
  }
}

void Objective::check_values() const {
  const NoGrad guard;
  // Two images of either of two classes, twice each, with more classes than any option counts.
  constexpr int64_t kRows = 8, kClasses = 1000, kWidth = 4;
  const Tensor labels = Tensor::from(std::vector<int64_t>{0, 0, 0, 0, 1, 1, 1, 1}, {kRows});
  const Tensor groups = Tensor::from(std::vector<int64_t>{0, 0, 1, 1, 2, 2, 3, 3}, {kRows});
  std::vector<float> values;
  for (int i = 0; i < kRows * kWidth; ++i) values.push_back(float(i % 7) - 3);
  const Tensor z = Tensor::from(values, {kRows, kWidth});
  const Tensor logits = Tensor::zeros({kRows, kClasses});
  const auto state = make_state({.samples = kRows,
                                 .features = kWidth,
                                 .embeddings = kWidth,
                                 .class_counts = std::vector<int64_t>(kClasses, 1)});
  const losses::StepContext context(groups, state.get());
  const Tensor loss = kind_ == LossKind::Logits
                          ? logits_loss_({logits, z, Tensor::full({kClasses, kWidth}, 1.0), logits},
                                         labels, context)
                          : pair_loss_(z, labels, context).loss;
  check(std::isfinite(loss.item()), "[objective] with these options the loss", loss_name_,
        "is not finite on a batch of small numbers:", loss.item());
}

std::unique_ptr<nn::Module> Objective::make_state(const losses::TrainingShape& shape) const {
  return kind_ == LossKind::Logits ? losses::make_loss_state(loss_name_, shape, options_)
                                   : losses::make_pair_loss_state(loss_name_, shape, options_);
}

bool Objective::differs_between_steps() const {
  return kind_ == LossKind::Logits ? losses::differs_between_steps(loss_name_)
                                   : losses::pair_loss_differs_between_steps(loss_name_);
}

Objective::Result Objective::operator()(models::ContrastiveNetwork& network, Phase phase,
                                        const Tensor& images, const Tensor& targets,
                                        losses::StepContext context) const {
  context.state = network.loss_state();
  models::Classifier& classifier = network.classifier();
  if (phase == Phase::Linear) {
    Tensor features;
    {
      const NoGrad frozen;
      classifier.eval();
      features = classifier.features(images);
      classifier.train();
    }
    const Tensor logits = classifier.classify(features);
    return {losses::cross_entropy(logits, targets, {.ignore_index = losses::kNoIgnoredLabel}),
            logits};
  }
  if (kind_ == LossKind::Logits) {
    const Tensor features = classifier.features(images), logits = classifier.classify(features);
    Tensor taught;
    if (teacher_) {
      const NoGrad constant;
      taught = (*teacher_)(images);
    }
    const losses::ClassifierOutput output(logits, features, classifier.head()->weight(), taught);
    return {logits_loss_(output, targets, context), logits};
  }
  const Tensor features = classifier.features(images);
  const Tensor embeddings = network.project(features);
  const losses::PairLoss pairs = pair_loss_(embeddings, targets, context);
  if (phase == Phase::Pretrain) return {pairs.loss, embeddings};
  const Tensor logits = classifier.classify(features);
  return {losses::with_cross_entropy("objective", logits, targets, 0, pairs, lambda_).loss, logits};
}

}  // namespace ditto::apps
