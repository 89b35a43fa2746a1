#include "apps/classification/trainer.h"

#include <cmath>

#include "autograd/ops.h"
#include "tests/support/catch.h"
#include "tests/support/stripes.h"

namespace ditto::apps {
namespace {

using testing::stripes;

TrainOptions small_options() {
  TrainOptions o;
  o.model = "mlp";
  o.batch = 16;
  o.epochs = 3;
  o.lr = 0.05;
  o.flip = false;
  o.crop_padding = 1;
  o.schedule = "constant";
  return o;
}

std::vector<float> all_weights(nn::Module& model) {
  std::vector<float> out;
  for (const Tensor& p : model.parameters())
    for (float v : p.detach().to_vector<float>()) out.push_back(v);
  return out;
}

}  // namespace

TEST_CASE("trainer: both losses learn, and report what they did", "[apps]") {
  const auto train = stripes(128, 1), test = stripes(64, 2);
  for (const char* loss : {"cce", "t-cce"}) {
    Trainer trainer(small_options(), loss, train, test);
    CHECK(trainer.total_steps() == 24);
    std::vector<EpochMetrics> epochs;
    int64_t steps = 0, evaluated = 0;
    trainer.run({.on_step = [&](const StepReport& s) { CHECK(s.step == ++steps); },
                 .on_eval_batch = [&](int64_t n) { evaluated += n; },
                 .on_epoch = [&](const EpochMetrics& m) { epochs.push_back(m); }});
    REQUIRE(epochs.size() == 3);
    CHECK(evaluated == trainer.planned_evaluations() * test.size());
    CHECK(epochs.back().images == 24 * 16);
    CHECK(epochs.back().train_loss < epochs.front().train_loss);
    CHECK(epochs.back().test_error < 0.05);
  }
}

TEST_CASE("trainer: what only a GPU can do is said once, and changes nothing", "[apps]") {
  const auto train = stripes(64, 1), test = stripes(16, 2);
  std::vector<std::vector<float>> weights;
  std::vector<std::string> notes;
  for (const bool asked : {false, true}) {
    TrainOptions o = small_options();
    o.compute.device = "cpu";
    o.compute.cuda_graph = o.compute.data_on_device = asked;
    Trainer trainer(o, "cce", train, test);
    trainer.run({.note = [&](const std::string& line) { notes.push_back(line); }});
    weights.push_back(all_weights(trainer.model()));
  }
  CHECK(weights[0] == weights[1]);
  CHECK(notes == std::vector<std::string>{
                     "--data-on-device: the training runs on the CPU",
                     "[cuda graph] steps run without a graph: the model is on the cpu"});
}

TEST_CASE("trainer: the same seed gives the same bytes, for any number of workers", "[apps]") {
  const auto train = stripes(64, 1), test = stripes(16, 2);
  std::vector<float> first;
  for (int workers : {0, 1, 3}) {
    TrainOptions o = small_options();
    o.workers = workers;
    o.mix = "d2";
    Trainer trainer(o, "t-cce", train, test);
    trainer.run({});
    if (first.empty()) first = all_weights(trainer.model());
    CHECK(all_weights(trainer.model()) == first);
  }
  TrainOptions other = small_options();
  other.seed = 2;
  other.mix = "d2";
  Trainer trainer(other, "t-cce", train, test);
  trainer.run({});
  CHECK(all_weights(trainer.model()) != first);
}

TEST_CASE("trainer: micro-batches give the gradient of the whole batch", "[apps]") {
  const auto train = stripes(64, 1), test = stripes(16, 2);
  std::vector<std::vector<float>> weights;
  for (int parts : {1, 4}) {
    TrainOptions o = small_options();
    o.accumulate = parts;
    o.steps = 5;
    Trainer trainer(o, "t-cce", train, test);
    trainer.run({});
    weights.push_back(all_weights(trainer.model()));
  }
  for (size_t i = 0; i < weights[0].size(); ++i)
    REQUIRE(weights[0][i] == Approx(weights[1][i]).margin(1e-6));
}

TEST_CASE("trainer: every mixing and optimizer runs", "[apps]") {
  const auto train = stripes(64, 1), test = stripes(16, 2);
  for (const char* mix : {"d1", "d2", "d3", "d4"})
    for (const char* optimizer : {"sgd", "adam", "adamw"}) {
      TrainOptions o = small_options();
      o.mix = mix;
      o.mixup_alpha = 0.5;
      o.optimizer = optimizer;
      o.lr = 0.01;
      o.steps = 4;
      o.clip_norm = 1;
      Trainer trainer(o, "t-cce", train, test);
      double loss = NAN;
      trainer.run({.on_epoch = [&](const EpochMetrics& m) { loss = m.train_loss; }});
      INFO(mix << " " << optimizer);
      CHECK(std::isfinite(loss));
    }
}

TEST_CASE("trainer: a loss that is not finite stops with the step and the first bad tensor",
          "[apps]") {
  const auto train = stripes(64, 1), test = stripes(16, 2);
  TrainOptions o = small_options();
  o.lr = 1000;
  o.momentum = 0.99;
  o.epochs = 50;
  Trainer diverging(o, "cce", train, test);
  CHECK_THROWS_WITH(diverging.run({}), testing::contains("[train] the loss is") &&
                                           testing::contains("at step") &&
                                           testing::contains("the first bad tensor is"));
  Trainer poisoned(small_options(), "cce", train, test);
  poisoned.model().parameters()[3].detach().data<float>()[5] = NAN;
  CHECK_THROWS_WITH(poisoned.run({}),
                    testing::contains("at step 1; the first bad tensor is parameter fc2.bias"));
}

TEST_CASE("trainer: weights ruined by the last step do not pass as a result", "[apps]") {
  const auto train = stripes(64, 1), test = stripes(16, 2);
  TrainOptions o = small_options();
  o.steps = 1;
  o.lr = 1000;
  o.weight_decay = 10;  // w (1 - 1e4) per step; from a huge weight that overflows at once
  Trainer trainer(o, "cce", train, test);
  trainer.model().parameters()[5].detach().data<float>()[0] = 1e38f;
  CHECK_THROWS_WITH(trainer.run({}),
                    testing::contains("[train]") && testing::contains("the first bad tensor is"));
}

TEST_CASE("trainer: minutes become a number of steps once", "[apps]") {
  const auto train = stripes(64, 1), test = stripes(16, 2);
  Trainer trainer(small_options(), "cce", train, test);
  const auto before = all_weights(trainer.model());
  const int64_t steps = trainer.calibrate(0.001);
  CHECK(steps >= 1);
  CHECK(trainer.total_steps() == steps);
  CHECK(all_weights(trainer.model()) == before);  // measured on a throw-away model
}

TEST_CASE("trainer: options that do not fit are errors", "[apps]") {
  const auto train = stripes(64, 1), test = stripes(16, 2);
  TrainOptions o = small_options();
  o.replicas = 3;
  CHECK_THROWS_WITH(Trainer(o, "t-cce", train, test), testing::contains("replicas 3"));
  o = small_options();
  o.batch = 65;
  CHECK_THROWS_WITH(Trainer(o, "cce", train, test),
                    testing::contains("larger than the training set"));
  o = small_options();
  o.model = "resnet21";
  CHECK_THROWS_WITH(Trainer(o, "cce", train, test), testing::contains("resnet21"));
  CHECK_THROWS_WITH(Trainer(small_options(), "sse", train, test), testing::contains("sse"));
}

}  // namespace ditto::apps
