// What a Trainer trains when: the networks, and for losses of features the two phases, each with
// its optimizer and learning rates.
#include <algorithm>
#include <cmath>

#include "apps/classification/embeddings.h"
#include "apps/classification/trainer.h"
#include "apps/classification/weights.h"
#include "models/models.h"
#include "nn/graphed_step.h"
#include "nn/init.h"
#include "nn/optim/adam.h"
#include "nn/optim/schedule.h"
#include "nn/optim/sgd.h"

namespace ditto::apps {

std::unique_ptr<Trainer::Network> Trainer::make_network(std::string* note) const {
  auto classifier = models::make_model(options_.model,
                                       {.image_size = train_.height(),
                                        .in_channels = train_.channels(),
                                        .num_classes = train_.classes(),
                                        .dropout = options_.dropout,
                                        .head = objective_.head()},
                                       note);
  const auto seed = static_cast<uint64_t>(options_.seed);
  nn::init(*classifier, seed);
  auto network = std::make_unique<Network>(std::move(classifier), projector(options_, loss_name_),
                                           options_.projection_dim);
  if (nn::Module* made = network->projector()) nn::init(*made, seed + 1);
  losses::TrainingShape shape{.samples = train_.size(),
                              .features = network->feature_width(),
                              .embeddings = network->embedding_width(),
                              .class_counts = std::vector<int64_t>(size_t(train_.classes()))};
  for (int64_t label : train_.labels().to_vector<int64_t>()) ++shape.class_counts[size_t(label)];
  if (auto state = objective_.make_state(shape)) {
    nn::init(*state, seed + 2);
    network->keep_loss_state(std::move(state));
  }
  return network;
}

void Trainer::load_teacher() {
  TrainedModel trained = load_weights(options_.teacher);
  const models::ModelOptions& shape = trained.info.shape;
  check(trained.info.head_trained && shape.num_classes == train_.classes() &&
            shape.in_channels == train_.channels() && shape.image_size == train_.height(),
        "[train] the teacher", options_.teacher, "is no classifier of", train_.classes(),
        "classes from images of", train_.height(), "x", train_.width(), "x", train_.channels());
  teacher_ = std::move(trained.model);
  teacher_->to(device_);
  objective_.set_teacher(teacher_.get());
}

Phase Trainer::phase_after(int64_t steps) const {
  if (options_.phases == "linear") return Phase::Linear;
  if (loss_kind(loss_name_) != LossKind::Features) return Phase::Classifier;
  return std::min(steps, total_steps_ - 1) < feature_steps() ? Phase::Pretrain : Phase::Linear;
}

int64_t Trainer::feature_steps() const {
  if (loss_kind(loss_name_) != LossKind::Features || options_.phases == "pretrain")
    return total_steps_;
  const auto linear = std::llround(options_.linear_share * double(total_steps_));
  return std::max<int64_t>(1, total_steps_ - linear);
}

double Trainer::learning_rate_after(int64_t steps) const {
  const bool second =
      phase_after(steps) == Phase::Linear && loss_kind(loss_name_) == LossKind::Features;
  const int64_t begin = second ? feature_steps() : 0;
  return nn::learning_rate(
      {.kind = nn::schedule_kind(options_.schedule),
       .lr = second && options_.linear_lr > 0 ? options_.linear_lr : options_.lr,
       .total_steps = (second ? total_steps_ : feature_steps()) - begin,
       .warmup_steps = second ? 0 : std::llround(options_.warmup * steps_per_epoch()),
       .milestones = options_.milestones,
       .gamma = options_.lr_gamma,
       .final_factor = options_.lr_final},
      steps - begin);
}

std::unique_ptr<nn::Optimizer> Trainer::make_optimizer(Network& network, Phase phase) const {
  const bool head = phase == Phase::Linear;
  // A linear classifier after pretraining has no decay, as in the authors' code of SupCon.
  const bool undecayed = head && options_.phases != "linear";
  auto groups = nn::parameter_groups(
      head ? static_cast<const nn::Module&>(*network.classifier().head()) : network,
      undecayed ? 0 : options_.weight_decay, options_.decay_norm_bias);
  if (options_.optimizer == "sgd")
    return std::make_unique<nn::Sgd>(
        std::move(groups),
        nn::SgdOptions{
            .lr = options_.lr, .momentum = options_.momentum, .nesterov = options_.nesterov});
  return std::make_unique<nn::Adam>(
      std::move(groups),
      nn::AdamOptions{.lr = options_.lr, .decoupled = options_.optimizer == "adamw"});
}

double Trainer::features_accuracy(const std::function<void(int64_t)>& on_batch) {
  const int64_t images = options_.knn_images;
  const data::ImageDataset bank =
      images > 0 && images < train_.size() ? train_.subset(images) : train_;
  return knn_accuracy(embed(model(), bank, 250, on_batch), embed(model(), test_, 250, on_batch),
                      {.neighbours = options_.knn_neighbours});
}

void Trainer::enter(Phase phase) {
  if (optimizer_ && phase == phase_) return;
  phase_ = phase;
  optimizer_ = make_optimizer(*network_, phase);
  network_->zero_grad();
  step_ = make_step(*network_, phase);
}

}  // namespace ditto::apps
