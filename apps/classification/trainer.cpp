#include "apps/classification/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "apps/classification/pretrained.h"
#include "autograd/mixed_precision.h"
#include "autograd/ops.h"
#include "core/device_choice.h"
#include "kernels/optim.h"
#include "losses/cross_entropy.h"
#include "nn/graphed_step.h"

namespace ditto::apps {
namespace {

double now() {
  using Clock = std::chrono::steady_clock;
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

bool all_finite(const Tensor& tensor) {
  if (!tensor.defined() || !is_floating(tensor.dtype())) return true;
  const auto values = tensor.detach().to_vector<double>();
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

// The first tensor that is not finite, in the order in which a step computes them.
std::string first_bad_tensor(const nn::Module& model, const Tensor& images, const Tensor& logits) {
  if (!all_finite(images)) return "the input images";
  for (const nn::NamedParameter& p : model.named_parameters())
    if (!all_finite(p.tensor)) return "parameter " + p.name + " (after the previous step)";
  for (const nn::NamedParameter& b : model.named_buffers())
    if (!all_finite(b.tensor)) return "buffer " + b.name;
  if (!all_finite(logits)) return "the logits";
  return "the loss";
}

int64_t count_correct(const Tensor& predictions, const Tensor& labels) {
  const auto predicted = predictions.to_vector<int64_t>();
  const auto truth = labels.to_vector<int64_t>();
  int64_t correct = 0;
  for (size_t i = 0; i < truth.size(); ++i) correct += predicted[i] == truth[i];
  return correct;
}

Dtype compute_dtype(const TrainOptions& options) {
  return options.precision == "bf16" ? Dtype::BF16 : Dtype::F32;
}

// Rows [begin, end) of the first dimension, without a copy.
Tensor rows(const Tensor& x, int64_t begin, int64_t end) {
  if (!x.defined()) return x;
  Shape shape = x.shape();
  shape[0] = end - begin;
  return x.alias(shape, x.strides(), x.offset() + begin * x.strides()[0]);
}

}  // namespace

EvalResult evaluate(nn::Layer& model, const data::ImageDataset& dataset, int64_t batch,
                    const std::function<void(int64_t)>& on_batch) {
  check(dataset.size() > 0, "[evaluate] the data set is empty:", dataset.name());
  NoGrad guard;
  ProfilePause unprofiled;
  const bool was_training = model.training();
  model.eval();
  data::DataLoader loader(dataset, std::make_shared<data::SequentialSampler>(dataset.size()),
                          data::eval_augment(dataset),
                          {.batch = std::min(batch, eval_rows(dataset)), .workers = 0});
  EvalResult result;
  double loss = 0;
  int64_t correct = 0;
  while (auto b = loader.next()) {
    const Tensor logits = model(b->images.to(model.device()));
    loss += losses::cross_entropy(logits, b->labels.to(logits.device()),
                                  {.reduction = losses::Reduction::Sum})
                .item();
    correct += count_correct(argmax(logits, 1), b->labels);
    result.images += b->size();
    if (on_batch) on_batch(b->size());
  }
  model.train(was_training);
  result.loss = loss / static_cast<double>(result.images);
  result.accuracy = static_cast<double>(correct) / static_cast<double>(result.images);
  return result;
}

Trainer::Trainer(const TrainOptions& options, const std::string& loss,
                 const data::ImageDataset& train, const data::ImageDataset& test)
    : options_(options),
      loss_name_(loss),
      objective_(loss, loss_config(options, loss)),
      replicas_(compares_replicas(loss) ? options.replicas : options.cce_replicas),
      device_(choose_device(options.compute.device).device),
      train_(train),
      test_(test) {
  options_.loss = loss;
  options_.compare.clear();
  check_options(options_);
  check(train.classes() >= 2, "[train] a classifier needs at least two classes;", train.name(),
        "has", train.classes());
  check(options.sampler != "ra" || train.size() >= 256,
        "[train] the sampler ra needs at least 256 training images, got", train.size());
  const int64_t rows = train.size() * (options.sampler == "all" ? replicas_ : 1);
  check(rows >= options.batch, "[train] the batch of", options.batch,
        "rows is larger than the training set of", train.size(), "images, in", rows, "rows");
  network_ = make_network(&note_);
  if (!options.init_weights.empty()) pretrained_ = load_pretrained(model(), options.init_weights);
  network_->to(device_);
  if (uses_teacher(loss_name_)) load_teacher();
  total_steps_ = options.steps > 0
                     ? options.steps
                     : std::max<int64_t>(1, std::llround(options.epochs * steps_per_epoch()));
}

double Trainer::steps_per_epoch() const {
  // Whole batches of whole groups: the loader drops the rest of an epoch.
  const int64_t unit = options_.sampler == "ra" ? 256 : samples_groups(options_) ? replicas_ : 1;
  const int64_t rows = options_.sampler == "all" ? train_.size() * unit : train_.size();
  return static_cast<double>(std::max<int64_t>(1, rows / unit * unit / options_.batch));
}

int64_t Trainer::evaluations_until(int64_t step) const {
  const int64_t every = evaluation_interval();
  const int64_t evaluations = step / every + (step == total_steps_ && step % every != 0 ? 1 : 0);
  return evaluations * (options_.ema > 0 ? 2 : 1);
}

void Trainer::set_total_steps(int64_t steps) {
  check(steps >= 1, "[train] needs at least one step, got", steps);
  total_steps_ = steps;
}

std::unique_ptr<data::DataLoader> Trainer::make_loader() const {
  const auto seed = static_cast<uint64_t>(options_.seed);
  std::shared_ptr<const data::Sampler> sampler;
  if (options_.sampler == "ra")
    sampler = std::make_shared<data::RASampler>(train_.size(), replicas_, seed);
  else if (options_.sampler == "random")
    sampler = std::make_shared<data::RandomSampler>(train_.size(), seed);
  else if (options_.sampler == "balanced")
    sampler = std::make_shared<data::ClassBalancedSampler>(train_.labels().to_vector<int64_t>(),
                                                           train_.classes(), replicas_, seed);
  else
    sampler = std::make_shared<data::GroupedSampler>(train_.size(), replicas_, seed,
                                                     options_.sampler == "all");
  data::LoaderOptions options{.batch = options_.batch,
                              .drop_last = true,
                              .workers = options_.workers,
                              .seed = seed,
                              .mix = mix_options(options_),
                              .pinned = device_.is_cuda()};
  if (options_.compute.data_on_device && device_.is_cuda()) {
    options.device = device_;
    options.device_limit = free_device_memory(device_) / 2;  // the rest is for the network
  }
  return std::make_unique<data::DataLoader>(train_, sampler, make_augment(options_, train_),
                                            options);
}

Trainer::Parts Trainer::parts_of(int64_t rows) const {
  // Whole groups in each part; a batch is smaller than usual where images could not be read.
  const int64_t unit = samples_groups(options_) ? replicas_ : 1, units = rows / unit;
  return {unit, units, std::min<int64_t>(options_.accumulate, units)};
}

// Of each part: its share of the loss, outputs (logits or embeddings), predictions.
static constexpr int64_t kResults = 3;

Tensors Trainer::compute(Network& network, Phase phase, const Tensors& inputs, int64_t step) const {
  const Parts parts = parts_of(inputs[0].dim(0));
  Tensors results;
  for (int64_t part = 0; part < parts.count; ++part) {
    const int64_t begin = parts.begin(part), end = parts.begin(part + 1);
    losses::StepContext context(rows(inputs[2], begin, end));
    context.seed = static_cast<uint64_t>(options_.seed);
    context.step = static_cast<uint64_t>(step * parts.count + part);
    context.epoch = static_cast<uint64_t>(double(step) / steps_per_epoch());
    const Objective::Result result = objective_(network, phase, rows(inputs[0], begin, end),
                                                rows(inputs[1], begin, end), context);
    const Tensor loss = result.loss / (double(parts.rows()) / double(end - begin));
    loss.backward();
    const Tensor outputs = result.outputs.detach();
    results.insert(results.end(), {loss.detach(), outputs, argmax(outputs, 1)});
  }
  return results;
}

Trainer::Step Trainer::make_step(Network& network, Phase phase) const {
  const bool alike = phase == Phase::Linear || !objective_.differs_between_steps();
  if (options_.compute.cuda_graph && alike) {
    const auto run = [this, &network, phase](const Tensors& inputs) {
      return compute(network, phase, inputs, 0);
    };
    const auto graphed = std::make_shared<nn::GraphedStep>(network, run, note_line_);
    return [graphed](const Tensors& inputs, int64_t) { return (*graphed)(inputs); };
  }
  return [this, &network, phase](const Tensors& inputs, int64_t step) {
    Tensors moved;
    for (const Tensor& input : inputs) moved.push_back(input.to(device_));
    network.zero_grad();
    return compute(network, phase, moved, step);
  };
}

Trainer::StepResult Trainer::train_step(Network& network, const Step& compute,
                                        nn::Optimizer& optimizer, data::DataLoader& loader,
                                        int64_t step, double lr) const {
  auto batch = [&] {
    ProfileRegion region("loader");
    auto next = loader.next();
    return next ? std::move(next) : loader.next();  // the next epoch begins
  }();
  check(batch.has_value(), "[train] the loader is empty");
  const Parts parts = parts_of(batch->size());
  const Tensor groups = Tensor::from(batch->groups, {batch->size()});
  const Tensors results = compute(
      {batch->images, batch->targets.defined() ? batch->targets : batch->labels, groups}, step - 1);
  StepResult result{0, 0, parts.rows()};
  for (int64_t part = 0; part < parts.count; ++part) {
    const Tensor* const of_part = &results[size_t(kResults * part)];
    const double value = of_part[0].item();  // waits for a GPU, so it comes after all launches
    if (!std::isfinite(value))
      fail("[train] the loss is " + error_text(value) + " at step " + std::to_string(step) +
           "; the first bad tensor is " +
           first_bad_tensor(network.classifier(), batch->images, of_part[1]) +
           ". Try a lower --lr or --clip-norm");
    result.loss += value;
    result.correct +=
        count_correct(of_part[2], rows(batch->labels, parts.begin(part), parts.begin(part + 1)));
    if (phase_ == Phase::Pretrain && objective_.response())
      result.response = [embeddings = of_part[1],
                         labels = objective_.uses_labels() ? batch->labels : groups,
                         options = *objective_.response()] {
        return gradient_response(embeddings, labels.to_vector<int64_t>(), options);
      };
  }
  if (options_.clip_norm > 0) {
    const double norm = nn::clip_grad_norm(network.parameters(), options_.clip_norm);
    if (!std::isfinite(norm))
      for (const nn::NamedParameter& p : network.named_parameters())
        if (!all_finite(p.tensor.grad()))
          fail("[train] the gradient norm is " + error_text(norm) + " at step " +
               std::to_string(step) + "; the first bad tensor is the gradient of " + p.name);
  }
  ProfileRegion region("optimizer");
  optimizer.set_lr(lr);
  optimizer.step();
  return result;
}

int64_t Trainer::calibrate(double minutes) {
  const MixedPrecision precision(compute_dtype(options_));
  const auto network = make_network(nullptr);
  network->to(device_);
  const Phase phase = phase_after(0);
  const auto optimizer = make_optimizer(*network, phase);
  const auto loader = make_loader();
  const Step step = make_step(*network, phase);
  constexpr int kWarmUp = 3, kTimed = 10;
  for (int i = 1; i <= kWarmUp; ++i) train_step(*network, step, *optimizer, *loader, i, 0);
  const double start = now();
  for (int i = 1; i <= kTimed; ++i) train_step(*network, step, *optimizer, *loader, i, 0);
  const double step_seconds = (now() - start) / kTimed;
  const int64_t sample = std::min<int64_t>(test_.size(), 1000);
  const double eval_start = now();
  evaluate(network->classifier(), test_.subset(sample));
  const double eval_seconds = (now() - eval_start) * double(test_.size()) / double(sample);
  // Evaluations come every eval_every epochs, and once at the end.
  const double per_step =
      step_seconds + eval_seconds / std::max(1.0, options_.eval_every * steps_per_epoch());
  set_total_steps(
      std::max<int64_t>(1, static_cast<int64_t>((minutes * 60 - eval_seconds) / per_step)));
  return total_steps_;
}

void Trainer::make_parts() {
  if (!loader_) loader_ = make_loader();
  if (options_.ema > 0 && !ema_)
    ema_ = std::make_unique<nn::Ema>(model(), nn::EmaOptions{.decay = options_.ema});
  enter(phase_after(state_.step));
}

int64_t Trainer::evaluation_interval() const {
  return std::max<int64_t>(1, std::llround(options_.eval_every * steps_per_epoch()));
}

double Trainer::seconds() const { return state_.seconds + (started_ > 0 ? now() - started_ : 0); }

bool Trainer::evaluate_now(const TrainCallbacks& callbacks) {
  // The next step's loss would show it, but after the last step there is none.
  for (const nn::NamedParameter& p : model().named_parameters())
    check(all_finite(p.tensor), "[train] a weight is not finite after step", state_.step,
          "; the first bad tensor is parameter", p.name);
  struct Stopped {};
  const auto on_batch = [&](int64_t images) {
    if (callbacks.on_eval_batch) callbacks.on_eval_batch(images);
    if (callbacks.stop && callbacks.stop()) throw Stopped();
  };
  EvalResult test{kNotMeasured, kNotMeasured, 0}, averaged = test;
  const Phase trained = phase_after(state_.step - 1);
  try {
    if (trained != Phase::Pretrain) test = evaluate(model(), test_, 250, on_batch);
    if (loss_kind(loss_name_) != LossKind::Logits && trained != Phase::Linear)
      knn_error_ = 1 - features_accuracy(on_batch);
    if (ema_) {
      const nn::EmaScope scope(*ema_);
      averaged = evaluate(model(), test_, 250, on_batch);
    }
  } catch (const Stopped&) {
    network_->train();
    return false;
  }
  const auto rows_seen = double(state_.rows);
  if (callbacks.on_epoch)
    callbacks.on_epoch({.epoch = static_cast<double>(state_.step) / steps_per_epoch(),
                        .images = double(state_.step) * double(options_.batch),
                        .seconds = seconds(),
                        .images_per_second = rows_seen / state_.train_seconds,
                        .learning_rate = optimizer_->lr(),
                        .train_loss = state_.loss_sum / double(state_.steps),
                        .train_error = trained == Phase::Pretrain
                                           ? kNotMeasured
                                           : 1 - double(state_.correct) / rows_seen,
                        .test_loss = test.loss,
                        .test_error = 1 - test.accuracy,
                        .ema_test_loss = averaged.loss,
                        .ema_test_error = 1 - averaged.accuracy,
                        .knn_error = knn_error_});
  state_.loss_sum = state_.train_seconds = 0;
  state_.correct = state_.steps = state_.rows = 0;
  state_.evaluation_due = false;
  return true;
}

bool Trainer::run(const TrainCallbacks& callbacks) {
  const MixedPrecision precision(compute_dtype(options_));
  started_ = now();
  const double per_epoch = steps_per_epoch();
  note_line_ = callbacks.note ? callbacks.note : [](const std::string& line) {
    std::fprintf(stderr, "ditto: %s\n", line.c_str());
  };
  make_parts();
  if (!loader_->note().empty()) note_line_(loader_->note());
  if (options_.compute.data_on_device && device_.is_cpu())
    note_line_("--data-on-device: the training runs on the CPU");
  if (options_.compute.cuda_graph && objective_.differs_between_steps())
    note_line_("[cuda graph] steps run without a graph: each step of loss " + loss_name_ +
               " draws numbers or looks samples up");
  step_ = make_step(*network_, phase_);
  network_->train();
  for (;;) {
    if (state_.evaluation_due && !evaluate_now(callbacks)) return false;
    if (callbacks.between_steps && !callbacks.between_steps(state_.step)) return false;
    if (state_.step >= total_steps_) return true;
    const double step_start = now(), lr = learning_rate_after(state_.step);
    const Phase trained = phase_;
    const StepResult result =
        train_step(*network_, step_, *optimizer_, *loader_, state_.step + 1, lr);
    if (ema_) ema_->update();
    state_.train_seconds += now() - step_start;
    state_.loss_sum += result.loss;
    state_.correct += result.correct;
    state_.rows += result.rows;
    ++state_.steps;
    ++state_.step;
    // Also at the end of a phase: errors and losses of two phases do not mix.
    enter(phase_after(state_.step));
    state_.evaluation_due = state_.step % evaluation_interval() == 0 ||
                            state_.step == total_steps_ || phase_ != trained;
    if (callbacks.on_step)
      callbacks.on_step({.step = state_.step,
                         .steps = total_steps_,
                         .epoch = static_cast<double>(state_.step) / per_epoch,
                         .images = options_.batch,
                         .loss = result.loss,
                         .accuracy = trained == Phase::Pretrain
                                         ? kNotMeasured
                                         : double(result.correct) / double(result.rows),
                         .learning_rate = lr,
                         .response = result.response});
  }
}

}  // namespace ditto::apps
