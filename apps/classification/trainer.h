// Trainer: one classification training from options to weights, and evaluation.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "apps/classification/gradient_response.h"
#include "apps/classification/objective.h"
#include "apps/classification/train_options.h"
#include "apps/common/checkpoint.h"
#include "apps/common/run_record.h"
#include "data/loader.h"
#include "nn/layer.h"
#include "nn/optim/ema.h"
#include "nn/optim/optimizer.h"
#include "nn/state_dict.h"

namespace ditto::apps {

struct EvalResult {
  double loss = 0;      // mean cross-entropy
  double accuracy = 0;  // top-1
  int64_t images = 0;
};

// Evaluates on the whole data set, without augmentation and without recording. `on_batch`, where
// given, is called after each batch with the number of images done in it.
EvalResult evaluate(nn::Layer& model, const data::ImageDataset& dataset, int64_t batch = 250,
                    const std::function<void(int64_t)>& on_batch = {});

// What the trainer reports while it works.
struct StepReport {
  int64_t step = 0, steps = 0;                       // of the whole run, from 1
  double epoch = 0;                                  // fractional, after this step
  int64_t images = 0;                                // of this step
  double loss = 0, accuracy = 0, learning_rate = 0;  // accuracy: NaN while features are trained
  // Measures it; empty where there is none. Costs as much as a step on a GPU.
  std::function<GradientResponse()> response = {};
};
struct TrainCallbacks {
  std::function<void(const StepReport&)> on_step = {};
  std::function<void(int64_t images)> on_eval_batch = {};
  std::function<void(const EpochMetrics&)> on_epoch = {};
  // Called between steps, with the steps done: the moment to save(). False ends run().
  std::function<bool(int64_t step)> between_steps = {};
  // Asked during evaluations: true ends run() at once; a resumed run evaluates from the beginning.
  std::function<bool()> stop = {};
  // A line for the user, such as why a step runs without its CUDA graph; by default to stderr.
  std::function<void(const std::string&)> note = {};
};

class Trainer {
 public:
  // `loss` is the name of the loss of this run. Throws on options that do not fit the data.
  Trainer(const TrainOptions& options, const std::string& loss, const data::ImageDataset& train,
          const data::ImageDataset& test);

  // Steps of the whole run: from `steps`, `minutes` (needs calibrate() first) or `epochs`.
  int64_t total_steps() const { return total_steps_; }
  // Measures some steps on a throw-away copy of the model and turns `minutes` into a number of
  // steps, evaluations included. The training itself then depends on that number alone, never on
  // the clock.
  int64_t calibrate(double minutes);
  void set_total_steps(int64_t steps);

  // Trains and evaluates from the present step to the last. Returns false when a callback ended it
  // before. Throws Error "[train] ..." that names the step and the first bad tensor when the loss
  // is not finite.
  bool run(const TrainCallbacks& callbacks);

  // Puts all that run() depends on into the checkpoint: weights, buffers, optimizer, averages,
  // positions and counters; `trainer["state"]` is the part of it that is no tensor. Throws Error
  // when a number is not finite. Between steps only.
  void save(Checkpoint& checkpoint) const;
  // Throws Error "[train] ..." with the first bad tensor unless every number of the state is
  // finite.
  void check_finite() const;
  // Takes that back, so that run() goes on as if it had never been interrupted. Throws Error when
  // the checkpoint is of another model, optimizer or data set.
  void restore(const Checkpoint& checkpoint);

  models::Classifier& model() { return network_->classifier(); }
  nn::Ema* ema() { return ema_.get(); }  // null without --ema
  int64_t step() const { return state_.step; }
  int64_t parameter_count() const { return network_->parameter_count(); }
  const std::string& model_note() const { return note_; }
  // What was taken from options.init_weights; empty without it.
  const nn::LoadReport& pretrained() const { return pretrained_; }
  double steps_per_epoch() const;
  // Passes over the test set in the whole run, and up to the present step; with --ema each
  // evaluation takes two.
  int64_t planned_evaluations() const { return evaluations_until(total_steps_); }
  int64_t done_evaluations() const { return evaluations_until(state_.step); }

 private:
  // Where the run is. The schedule and all random numbers follow from the step and the loader's
  // position.
  struct State {
    int64_t step = 0;             // done
    bool evaluation_due = false;  // after this step, and not done yet
    double seconds = 0;           // of earlier processes
    // Since the last evaluation:
    double loss_sum = 0, train_seconds = 0;
    int64_t correct = 0, steps = 0, rows = 0;
  };
  struct StepResult {
    double loss;
    int64_t correct, rows;  // rows: fewer than the batch where images could not be read
    std::function<GradientResponse()> response = {};
  };
  // Results of a step's parts, one after another (kResults each), from {images, targets, groups};
  // its gradients are those of the model then. `step`: steps before this one.
  using Step = std::function<Tensors(const Tensors& inputs, int64_t step)>;
  using Network = models::ContrastiveNetwork;
  std::unique_ptr<Network> make_network(std::string* note) const;
  void load_teacher();
  std::unique_ptr<nn::Optimizer> make_optimizer(Network& network, Phase phase) const;
  // What the step after `steps` steps trains; after the last one, what that one trained.
  Phase phase_after(int64_t steps) const;
  // Steps before the linear classifier's.
  int64_t feature_steps() const;
  double learning_rate_after(int64_t steps) const;
  void enter(Phase phase);
  // Of the nearest neighbours of the test images among the training images.
  double features_accuracy(const std::function<void(int64_t)>& on_batch);
  // compute() of this model, as a CUDA graph where the options ask for it.
  Step make_step(Network& network, Phase phase) const;
  Tensors compute(Network& network, Phase phase, const Tensors& inputs, int64_t step) const;
  // Rows of a batch that are used, and micro-batches.
  struct Parts {
    int64_t unit, units, count;
    int64_t begin(int64_t part) const { return units * part / count * unit; }
    int64_t rows() const { return units * unit; }
  };
  Parts parts_of(int64_t rows) const;
  std::unique_ptr<data::DataLoader> make_loader() const;
  void make_parts();
  bool evaluate_now(const TrainCallbacks& callbacks);
  double seconds() const;
  int64_t evaluation_interval() const;
  int64_t evaluations_until(int64_t step) const;
  StepResult train_step(Network& network, const Step& compute, nn::Optimizer& optimizer,
                        data::DataLoader& loader, int64_t step, double lr) const;

  TrainOptions options_;
  std::string loss_name_;
  Objective objective_;
  int replicas_;
  Device device_;
  data::ImageDataset train_, test_;
  std::unique_ptr<models::Classifier> teacher_;  // null for losses without
  std::unique_ptr<Network> network_;
  std::string note_;
  nn::LoadReport pretrained_;
  int64_t total_steps_ = 0;
  std::unique_ptr<nn::Optimizer> optimizer_;
  std::unique_ptr<data::DataLoader> loader_;
  std::unique_ptr<nn::Ema> ema_;
  Step step_;
  std::function<void(const std::string&)> note_line_;
  Phase phase_ = Phase::Classifier;
  double knn_error_ = kNotMeasured;  // of the last evaluation of features
  State state_;
  double started_ = 0;  // of this process's part, by the monotonic clock
};

// Loads the training and test set that the options ask for. Subsets are the same for every seed of
// a training.
struct DataPair {
  data::ImageDataset train, test;
};
DataPair load_data(const DataOptions& options);
// Rows of a batch for evaluation that keep its memory in bounds.
int64_t eval_rows(const data::ImageDataset& dataset);

}  // namespace ditto::apps
