// Trainer's state in a checkpoint and back.
#include <cmath>

#include "apps/classification/trainer.h"
#include "apps/classification/weights.h"
#include "core/on_device.h"
#include "kernels/optim.h"
#include "nn/state_dict.h"

namespace ditto::apps {
namespace {

// Everything in a Trainer that is a tensor but no entry of the PyTorch state dict, as aliases of
// the live ones, under its name in optimizer.safetensors.
TensorMap other_tensors(models::ContrastiveNetwork& network, const nn::Optimizer& optimizer,
                        const nn::Ema* ema) {
  const nn::Module& model = network.classifier();
  TensorMap out;
  for (const auto& [name, tensor] : optimizer.state()) out[name] = tensor;
  for (const nn::NamedParameter& b : model.named_buffers())
    if (!b.in_state_dict) out["buffer." + b.name] = b.tensor.detach();
  if (ema)
    for (const auto& [name, tensor] : ema->state()) out["ema." + name] = tensor;
  if (const nn::Module* projector = network.projector())
    for (const nn::NamedParameter& p : projector->named_parameters())
      out["projector." + p.name] = p.tensor.detach();
  if (const nn::Module* loss = network.loss_state())
    for (const auto& entries : {loss->named_parameters(), loss->named_buffers()})
      for (const nn::NamedParameter& p : entries) out["loss." + p.name] = p.tensor.detach();
  return out;
}

bool all_finite(const Tensor& tensor) {
  if (!is_floating(tensor.dtype())) return true;
  const View view = tensor.view();
  return on_device(tensor.device(), [&](auto& ctx) {
    return std::isfinite(kernels::sum_of_squares(ctx, {&view, 1}));
  });
}

// A field of trainer.json. The checksums hold, so a wrong one was made by hand.
template <class T>
T field(const Json& object, const char* key) {
  check(object.is_object() && object.contains(key), "[checkpoint] trainer.json has no", key);
  try {
    return object[key].get<T>();
  } catch (const Json::exception&) {
    fail("[checkpoint] trainer.json: wrong type of", key);
  }
}

}  // namespace

void Trainer::save(Checkpoint& checkpoint) const {
  check(optimizer_ != nullptr, "[train] nothing to save before run() or restore()");
  check_finite();
  checkpoint.model.clear();
  for (const nn::StateEntry& entry : nn::state_dict(network_->classifier()))
    checkpoint.model[entry.name] = entry.tensor.to(kCpu);
  checkpoint.model_metadata = weights_metadata(options_.model, network_->classifier(), train_);
  checkpoint.optimizer = other_tensors(*network_, *optimizer_, ema_.get());
  for (auto& [name, tensor] : checkpoint.optimizer) tensor = tensor.to(kCpu);
  const data::LoaderPosition position = loader_->position();
  checkpoint.trainer["state"] = {
      {"step", state_.step},
      {"total_steps", total_steps_},
      {"evaluation_due", state_.evaluation_due},
      {"seconds", seconds()},
      {"loader", {{"epoch", position.epoch}, {"batch", position.batch}}},
      {"optimizer", {{"kind", options_.optimizer}, {"steps", optimizer_->steps()}}},
      {"learning_rate", optimizer_->lr()},
      {"ema_updates", ema_ ? ema_->updates() : 0},
      {"since_evaluation",
       {{"steps", state_.steps},
        {"loss_sum", state_.loss_sum},
        {"correct", state_.correct},
        {"rows", state_.rows},
        {"train_seconds", state_.train_seconds}}}};
  // Of the last evaluation of features; there is none in other trainings and older checkpoints.
  if (std::isfinite(knn_error_))
    checkpoint.trainer["state"]["since_evaluation"]["knn_error"] = knn_error_;
}

void Trainer::check_finite() const {
  const auto require = [&](const Tensor& tensor, const char* kind, const std::string& name) {
    check(all_finite(tensor), "[train] a number is not finite after step", state_.step,
          "; the first bad tensor is", kind, name);
  };
  const nn::Module& model = network_->classifier();
  for (const nn::NamedParameter& p : model.named_parameters())
    require(p.tensor, "parameter", p.name);
  for (const nn::NamedParameter& b : model.named_buffers()) require(b.tensor, "buffer", b.name);
  for (const auto& [name, tensor] : optimizer_->state()) require(tensor, "optimizer state", name);
}

void Trainer::restore(const Checkpoint& checkpoint) {
  const Json state = field<Json>(checkpoint.trainer, "state");
  const Json loader = field<Json>(state, "loader"), optimizer = field<Json>(state, "optimizer"),
             since = field<Json>(state, "since_evaluation");
  set_total_steps(field<int64_t>(state, "total_steps"));
  state_.step = field<int64_t>(state, "step");  // it tells the phase, whose optimizer was saved
  check(state_.step >= 0 && state_.step <= total_steps_, "[checkpoint] trainer.json: step",
        state_.step, "of", total_steps_);
  make_parts();

  std::vector<nn::StateEntry> entries;
  for (const auto& [name, tensor] : checkpoint.model) entries.push_back({name, tensor});
  nn::load_state_dict(model(), entries);

  TensorMap others = other_tensors(*network_, *optimizer_, ema_.get());
  for (auto& [name, tensor] : others) {
    const auto found = checkpoint.optimizer.find(name);
    check(found != checkpoint.optimizer.end(), "[checkpoint] optimizer.safetensors has no", name);
    const Tensor& saved = found->second;
    check(saved.shape() == tensor.shape() && saved.dtype() == tensor.dtype(),
          "[checkpoint] optimizer.safetensors:", name, "is", saved, "and should be", tensor);
    tensor.copy_(saved);
  }
  check(others.size() == checkpoint.optimizer.size(), "[checkpoint] optimizer.safetensors has",
        checkpoint.optimizer.size(), "tensors, this training", others.size());

  optimizer_->set_steps(field<int64_t>(optimizer, "steps"));
  optimizer_->set_lr(field<double>(state, "learning_rate"));
  if (ema_) ema_->set_updates(field<int64_t>(state, "ema_updates"));
  loader_->seek({field<int64_t>(loader, "epoch"), field<int64_t>(loader, "batch")});
  if (since.contains("knn_error")) knn_error_ = field<double>(since, "knn_error");
  state_ = {.step = field<int64_t>(state, "step"),
            .evaluation_due = field<bool>(state, "evaluation_due"),
            .seconds = field<double>(state, "seconds"),
            .loss_sum = field<double>(since, "loss_sum"),
            .train_seconds = field<double>(since, "train_seconds"),
            .correct = field<int64_t>(since, "correct"),
            .steps = field<int64_t>(since, "steps"),
            .rows = since.contains("rows") ? field<int64_t>(since, "rows")
                                           : field<int64_t>(since, "steps") * options_.batch};
  started_ = 0;
}

}  // namespace ditto::apps
