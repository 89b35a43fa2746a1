// The trainer on the CUDA device (a GPU or the emulated one), with its steps as a CUDA graph.
#include "apps/classification/trainer.h"

#include <cmath>

#include "tests/support/cuda.h"
#include "tests/support/distance.h"

namespace ditto::apps {
namespace {

using testing::contains;

data::ImageDataset random_images(int64_t n, uint64_t seed) {
  Tensor images = Tensor::empty({n, 8, 8, 3}, Dtype::U8), labels = Tensor::empty({n}, Dtype::I64);
  Rng rng(seed);
  for (int64_t i = 0; i < images.numel(); ++i)
    images.data<uint8_t>()[i] = static_cast<uint8_t>(rng.below(256));
  for (int64_t i = 0; i < n; ++i) labels.data<int64_t>()[i] = i % 3;
  return data::ImageDataset("random", images, labels, {"a", "b", "c"},
                            {{0.5f, 0.5f, 0.5f}, {0.25f, 0.25f, 0.25f}});
}

TrainOptions options_for(const std::string& model) {
  TrainOptions o;
  o.model = model;
  o.compute.device = "cuda";
  o.compute.deterministic = true;
  o.batch = 4;
  o.steps = 7;
  o.lr = 0.05;
  o.workers = 0;
  o.crop_padding = 1;
  o.clip_norm = 1;
  o.ema = 0.9;
  o.eval_every = 0.75;  // of four steps
  return o;
}

struct Outcome {
  std::vector<double> values;  // losses, accuracies, weights, optimizer, averages
  std::vector<std::string> notes;
};

Outcome run(const TrainOptions& options, const std::string& loss, int64_t until = -1) {
  const auto train = random_images(16, 1), test = random_images(6, 2);
  Outcome outcome;
  // What a phase does not measure is NaN, in both runs.
  const auto add = [&](double v) { outcome.values.push_back(std::isnan(v) ? -1 : v); };
  use(options.compute);
  Trainer trainer(options, loss, train, test);
  trainer.run({.on_step =
                   [&](const StepReport& s) {
                     CHECK(std::isfinite(s.loss));
                     add(s.loss);
                     add(s.accuracy);
                   },
               .on_epoch =
                   [&](const EpochMetrics& m) {
                     for (double v : {m.test_loss, m.ema_test_error, m.knn_error}) add(v);
                   },
               .between_steps = [&](int64_t step) { return step != until; },
               .note = [&](const std::string& line) { outcome.notes.push_back(line); }});
  Checkpoint checkpoint;
  trainer.save(checkpoint);
  for (const TensorMap* map : {&checkpoint.model, &checkpoint.optimizer})
    for (const auto& [name, tensor] : *map)
      for (const double v : tensor.to_vector<double>()) outcome.values.push_back(v);
  set_deterministic(false);
  return outcome;
}

}  // namespace

TEST_CASE("cuda trainer: --cuda-graph gives the bits of the eager steps", "[gpu]") {
  DITTO_NEEDS_CUDA();
  struct Case {
    const char *model, *loss, *optimizer, *mix;
    int accumulate;
    double dropout;
    const char* precision;
  };
  for (const Case& c : {Case{"resnet20", "t-cce", "sgd", "none", 1, 0, "f32"},
                        Case{"mlp", "t-cce", "adam", "d2", 2, 0.5, "f32"},
                        Case{"mlp", "t-arcface", "sgd", "none", 1, 0.5, "bf16"},
                        Case{"mlp", "supcon", "sgd", "none", 1, 0, "f32"},
                        Case{"mlp", "generalized-focal", "sgd", "none", 1, 0, "f32"},
                        Case{"mlp", "t-generalized-focal", "sgd", "none", 1, 0, "bf16"},
                        Case{"mlp", "clce", "sgd", "none", 1, 0.5, "bf16"}}) {
    INFO(c.model << " " << c.loss << " " << c.precision);
    TrainOptions o = options_for(c.model);
    o.optimizer = c.optimizer;
    o.mix = c.mix;
    o.accumulate = c.accumulate;
    o.steps = 5;  // two eager, the capture with the first replay, two more
    o.dropout = c.dropout;
    o.precision = c.precision;
    if (loss_kind(c.loss) != LossKind::Logits) o.ema = 0;
    const Outcome eager = run(o, c.loss);
    o.compute.cuda_graph = true;
    const Outcome graphed = run(o, c.loss);
    CHECK(graphed.values == eager.values);
    CHECK(eager.values.size() > 1000);
    CHECK(eager.notes == std::vector<std::string>{});
    // Nothing fell back: the step could be captured.
    CHECK(graphed.notes == std::vector<std::string>{});
  }
}

TEST_CASE("cuda trainer: --data-on-device trains with the pixels of the host", "[gpu]") {
  DITTO_NEEDS_CUDA();
  TrainOptions o = options_for("mlp");
  o.mix = "d2";
  o.steps = 4;
  const Outcome host = run(o, "t-cce");
  o.compute.data_on_device = true;
  const Outcome device = run(o, "t-cce");
  o.compute.cuda_graph = true;
  const Outcome both = run(o, "t-cce");
  CHECK(device.notes.empty());
  CHECK(both.values == device.values);
  REQUIRE(device.values.size() == host.values.size());
  for (size_t i = 0; i < host.values.size(); ++i)
    CHECK(std::fabs(device.values[i] - host.values[i]) <= 1e-4 * (1 + std::fabs(host.values[i])));
}

// What these keep, draw or train must be where the network is.
TEST_CASE("cuda trainer: losses with a state or random numbers train as on the host", "[gpu]") {
  DITTO_NEEDS_CUDA();
  for (const std::string loss :
       {"elastic-arcface", "ens-loss", "aldr", "generalized-focal", "nce", "icnn", "proto-triplet",
        "mw", "robust-contrastive", "amcl", "hydra"}) {
    INFO(loss);
    TrainOptions o = options_for("mlp");
    o.batch = 8;
    o.steps = 4;
    o.lr = 0.01;
    if (loss_kind(loss) != LossKind::Logits) o.ema = 0;
    const Outcome device = run(o, loss);
    o.compute.device = "cpu";
    const Outcome host = run(o, loss);
    REQUIRE(device.values.size() == host.values.size());
    double worst = 0;
    for (size_t i = 0; i < host.values.size(); ++i)
      worst = std::max(worst, testing::distance(device.values[i], host.values[i]) /
                                  (1 + std::fabs(host.values[i])));
    CHECK(worst <= 1e-4);
  }
  // What a step draws or remembers is not in a graph of another step.
  TrainOptions o = options_for("mlp");
  o.compute.cuda_graph = true;
  const Outcome outcome = run(o, "aldr");
  REQUIRE(outcome.notes.size() == 1);
  CHECK_THAT(outcome.notes[0], contains("aldr"));
}

TEST_CASE("cuda trainer: a run with --cuda-graph is resumed to the same bits", "[gpu]") {
  DITTO_NEEDS_CUDA();
  TrainOptions o = options_for("mlp");
  o.dropout = 0.5;
  o.compute.cuda_graph = true;
  const auto train = random_images(16, 1), test = random_images(6, 2);
  use(o.compute);
  const auto saved = [&](Trainer& trainer, int64_t until) {
    trainer.run({.between_steps = [&](int64_t step) { return step != until; }});
    Checkpoint checkpoint;
    trainer.save(checkpoint);
    return checkpoint;
  };
  Trainer whole(o, "cce", train, test), first(o, "cce", train, test), second(o, "cce", train, test);
  const Checkpoint expected = saved(whole, -1);
  second.restore(saved(first, 4));
  const Checkpoint got = saved(second, -1);
  for (const auto& [name, tensor] : expected.model)
    CHECK(got.model.at(name).to_vector<double>() == tensor.to_vector<double>());
  for (const auto& [name, tensor] : expected.optimizer)
    CHECK(got.optimizer.at(name).to_vector<double>() == tensor.to_vector<double>());
  set_deterministic(false);
}

}  // namespace ditto::apps
