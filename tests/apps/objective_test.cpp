// Trainings by losses of features: two phases, joint losses, a linear classifier on given features.
#include "apps/classification/objective.h"

#include <cmath>
#include <filesystem>

#include "apps/classification/trainer.h"
#include "apps/classification/weights.h"
#include "core/rng.h"
#include "models/resnet_cifar.h"
#include "nn/init.h"
#include "tests/support/catch.h"
#include "tests/support/checkpoints.h"
#include "tests/support/paths.h"
#include "tests/support/stripes.h"
#include "tests/support/temp_dir.h"

namespace ditto::apps {
namespace {

using testing::contains;
using testing::same_bits;
using testing::state_of;
using testing::stripes;

TrainOptions small_options(const std::string& loss) {
  TrainOptions o;
  o.loss = loss;
  o.model = "mlp";
  o.batch = 32;
  o.epochs = 6;  // of four steps
  o.lr = 0.05;
  o.flip = false;
  o.crop_padding = 1;
  o.linear_share = 0.5;
  o.linear_lr = 0.5;
  o.knn_neighbours = 10;
  return o;
}

std::vector<std::vector<float>> values(const nn::Module& module) {
  std::vector<std::vector<float>> out;
  for (const nn::NamedParameter& p : module.named_parameters())
    out.push_back(p.tensor.to_vector<float>());
  return out;
}

}  // namespace

TEST_CASE("objective: every name has a kind, options and a loss", "[objective]") {
  std::vector<std::string> names = losses::loss_names();
  for (const char* joint : {"clce", "ce-supcon"}) names.push_back(joint);  // as docs/losses.md says
  for (const std::string& name : losses::pair_loss_names()) names.push_back(name);
  CHECK(objective_names() == names);
  for (const std::string& name : names) {
    INFO(name);
    const LossKind kind = loss_kind(name);
    CHECK(compares_replicas(name) == (kind != LossKind::Logits || name.rfind("t-", 0) == 0));
    CHECK_NOTHROW(Objective(name, {}));
    for (const losses::LossOption& option : objective_options(name))
      CHECK_NOTHROW(Objective(name, {.options = {{option.name, option.value}}}));
    CHECK_THROWS_WITH(Objective(name, {.options = {{"no-such", 1}}}), contains("no-such"));
  }
  CHECK(loss_kind("cce") == LossKind::Logits);
  CHECK(loss_kind("clce") == LossKind::Joint);
  CHECK(loss_kind("tcl") == LossKind::Features);
  CHECK(Objective("tcl", {}).response()->k1 == 5000);
  CHECK(Objective("cce", {}).response() == nullptr);
  CHECK_THROWS_WITH(loss_kind("sse"), contains("'sse'"));
  CHECK_THROWS_WITH(Objective("clce", {.options = {{"lambda", 1.5}}}), contains("lambda"));
}

TEST_CASE("objective: a loss of features trains them, then a classifier on them as they are",
          "[objective]") {
  const auto train = stripes(128, 1), test = stripes(64, 2);
  for (const char* loss : {"supcon", "nt-xent"}) {
    INFO(loss);
    TrainOptions o = small_options(loss);
    Trainer trainer(o, loss, train, test);
    REQUIRE(trainer.total_steps() == 24);
    std::vector<EpochMetrics> epochs;
    std::vector<std::vector<float>> features;  // after the first phase
    trainer.run({.on_step =
                     [&](const StepReport& s) {
                       CHECK(std::isnan(s.accuracy) == (s.step <= 12));
                       const bool measured = s.step <= 12 && std::string(loss) == "supcon";
                       REQUIRE(bool(s.response) == measured);
                       if (measured) CHECK(std::isfinite(s.response().positives));
                     },
                 .on_epoch = [&](const EpochMetrics& m) { epochs.push_back(m); },
                 .between_steps =
                     [&](int64_t step) {
                       if (step == 12) features = values(trainer.model());
                       return true;
                     }});
    REQUIRE(epochs.size() == 6);
    for (size_t i = 0; i < 6; ++i) {
      CHECK(std::isnan(epochs[i].test_error) == (i < 3));
      CHECK(std::isnan(epochs[i].train_error) == (i < 3));
      CHECK(std::isfinite(epochs[i].knn_error));
    }
    CHECK(epochs[2].train_loss < epochs[0].train_loss);
    CHECK(epochs.back().knn_error < 0.1);
    CHECK(epochs.back().test_error < 0.1);
    const auto last = values(trainer.model());
    REQUIRE(features.size() == last.size());
    for (size_t i = 0; i < last.size(); ++i)
      CHECK((features[i] == last[i]) == (i + 2 < last.size()));  // the head's weight and bias
  }
}

TEST_CASE("objective: clce without its loss of features is cross-entropy", "[objective]") {
  const auto train = stripes(64, 1), test = stripes(16, 2);
  std::vector<std::vector<std::vector<float>>> weights;
  for (const char* loss : {"cce", "clce", "ce-supcon"}) {
    TrainOptions o = small_options(loss);
    o.steps = 4;
    o.cce_replicas = 2;
    if (std::string(loss) != "cce") o.loss_option = {"lambda=0"};
    Trainer trainer(o, loss, train, test);
    trainer.run({});
    weights.push_back(values(trainer.model()));
  }
  CHECK(weights[0] == weights[1]);
  CHECK(weights[0] == weights[2]);
  // With it the classifier is learnt all the same.
  TrainOptions o = small_options("clce");
  Trainer trainer(o, "clce", stripes(128, 1), stripes(64, 2));
  double error = 1, knn_error = 1;
  trainer.run({.on_epoch = [&](const EpochMetrics& m) {
    error = m.test_error;
    knn_error = m.knn_error;
  }});
  CHECK(error < 0.1);
  CHECK(knn_error < 0.1);
}

TEST_CASE("objective: a training resumed in either phase, or between them, ends with the same bits",
          "[objective]") {
  const auto train = stripes(64, 1), test = stripes(16, 2);
  TrainOptions o = small_options("supcon");
  o.steps = 6;
  o.linear_share = 0.5;
  o.optimizer = "adam";
  o.lr = 0.01;
  Trainer whole(o, "supcon", train, test);
  std::vector<Checkpoint> checkpoints;
  whole.run({.between_steps = [&](int64_t) {
    checkpoints.push_back(state_of(whole));
    return true;
  }});
  const Checkpoint end = state_of(whole);
  CHECK(end.optimizer.count("projector.fc1.weight") == 1);
  REQUIRE(checkpoints.size() == 7);
  for (size_t step = 0; step < checkpoints.size(); ++step) {
    INFO("resumed after step " << step);
    Trainer rest(o, "supcon", train, test);
    rest.restore(checkpoints[step]);
    rest.run({});
    const Checkpoint again = state_of(rest);
    CHECK(same_bits(again.model, end.model));
    CHECK(same_bits(again.optimizer, end.optimizer));
  }
}

TEST_CASE("objective: losses of cosines and of features without bias, and their weights files",
          "[objective]") {
  const auto train = stripes(128, 1), test = stripes(64, 2);
  const testing::TempDir folder;
  struct Case {
    const char* loss;
    double scale;  // of the cosine head; 0: a linear one without bias
  };
  for (const Case& c : {Case{"normalized-softmax", 20},
                        {"t-cosface", 8},
                        {"arcface", 8},
                        {"sface", 8},
                        {"unpg-cosface", 8},
                        {"large-margin-softmax", 0}}) {
    INFO(c.loss);
    TrainOptions o = small_options(c.loss);
    if (c.scale == 8) o.loss_option = {"scale=8"};
    Trainer trainer(o, c.loss, train, test);
    CHECK(trainer.model().head_options() ==
          nn::HeadOptions{.bias = false, .cosine_scale = c.scale});
    double error = 1;
    trainer.run({.on_epoch = [&](const EpochMetrics& m) { error = m.test_error; }});
    CHECK(error < 0.1);
    const auto file = folder.path() / (std::string(c.loss) + ".safetensors");
    save_weights(file, trainer.model(), o.model, train);
    const TrainedModel loaded = load_weights(file);
    CHECK(evaluate(*loaded.model, test).accuracy == 1 - error);
    CHECK(loaded.model->head_options() == trainer.model().head_options());
  }
}

TEST_CASE("objective: losses that draw numbers or remember learn, and resume with the same bits",
          "[objective]") {
  const auto train = stripes(128, 1), test = stripes(64, 2);
  const testing::TempDir folder;
  const std::string file = (folder.path() / "teacher.safetensors").string();
  Trainer teacher(small_options("cce"), "cce", train, test);
  teacher.run({});
  save_weights(file, teacher.model(), "mlp", train);
  struct Case {
    const char* loss;
    const char* kept;  // of the loss, in the checkpoint
    const char* precision = "f32";
  };
  for (const Case& c : {Case{"elastic-arcface", ""},
                        {"t-elastic-cosface", "", "bf16"},
                        {"ens-loss", ""},
                        {"t-ens-loss", "", "bf16"},
                        {"aldr", "loss.values"},
                        {"t-aldr", "loss.values", "bf16"},
                        {"generalized-focal", "loss.shares"},
                        {"nce", "loss.shares"},
                        {"t-nce", "loss.shares", "bf16"},
                        {"dual-head-distillation", "loss.weight"},
                        {"t-dual-head-distillation", "loss.bias", "bf16"},
                        {"icnn", ""},
                        {"icnn", "", "bf16"},
                        {"proto-triplet", ""},
                        {"proto-triplet", "", "bf16"},
                        {"info-nce", ""},
                        {"hard-contrastive", "", "bf16"},
                        {"simple-contrastive", ""},
                        {"mw", ""},
                        {"mw", "", "bf16"},
                        {"robust-contrastive", "loss.temperature"},
                        {"robust-contrastive", "loss.log_average", "bf16"},
                        {"amcl", "loss.head2_own.weight"},
                        {"amcl", "loss.head0_project.bias", "bf16"},
                        {"hydra", "loss.labels"},
                        {"hydra", "loss.gate.weight", "bf16"}}) {
    INFO(c.loss << " " << c.precision);
    TrainOptions o = small_options(c.loss);
    o.precision = c.precision;
    if (uses_teacher(c.loss)) o.teacher = file;
    for (const auto& option : objective_options(c.loss))
      if (option.name == "scale") o.loss_option = {"scale=8"};
    Trainer whole(o, c.loss, train, test);
    std::vector<Checkpoint> checkpoints;
    double error = 1;
    whole.run({.on_epoch = [&](const EpochMetrics& m) { error = m.test_error; },
               .between_steps =
                   [&](int64_t step) {
                     if (step == 5 || step == 14) checkpoints.push_back(state_of(whole));
                     return true;
                   }});
    CHECK(error < 0.1);
    const Checkpoint end = state_of(whole);
    if (*c.kept != 0) CHECK(end.optimizer.count(c.kept) == 1);
    REQUIRE(checkpoints.size() == 2);
    for (const Checkpoint& checkpoint : checkpoints) {
      Trainer rest(o, c.loss, train, test);
      rest.restore(checkpoint);
      rest.run({});
      const Checkpoint again = state_of(rest);
      CHECK(same_bits(again.model, end.model));
      CHECK(same_bits(again.optimizer, end.optimizer));
    }
  }
}

TEST_CASE("objective: micro-batches of one step draw numbers of their own", "[objective]") {
  const auto train = stripes(64, 1), test = stripes(16, 2);
  TrainOptions o = small_options("elastic-arcface");
  o.steps = 2;
  o.loss_option = {"deviation=0"};
  o.accumulate = 2;
  std::vector<double> alike, drawn;
  for (auto* losses : {&alike, &drawn}) {
    Trainer(o, o.loss, train, test).run({.on_step = [&](const StepReport& s) {
      losses->push_back(s.loss);
    }});
    o.loss_option = {"deviation=0.2"};
  }
  REQUIRE(alike.size() == 2);
  for (size_t i = 0; i < 2; ++i) CHECK(alike[i] != drawn[i]);
}

TEST_CASE("objective: a teacher's predictions are learnt, and it is not changed", "[objective]") {
  const auto train = stripes(128, 1), test = stripes(64, 2);
  const testing::TempDir folder;
  const std::string file = (folder.path() / "teacher.safetensors").string();
  Trainer teacher(small_options("cce"), "cce", train, test);
  teacher.run({});
  save_weights(file, teacher.model(), "mlp", train);
  TrainOptions o = small_options("distillation");
  o.teacher = file;
  o.loss_option = {"weight=1"};  // nothing but the teacher
  Trainer student(o, "distillation", train, test);
  std::vector<double> losses;
  student.run({.on_epoch = [&](const EpochMetrics& m) { losses.push_back(m.train_loss); }});
  CHECK(losses.back() < 0.3 * losses.front());
  CHECK(evaluate(student.model(), test).accuracy > 0.9);
  const auto three = [&] {
    data::ImageDataset other = stripes(128, 1);
    return data::ImageDataset("three", other.images(), other.labels(), {"a", "b", "c"},
                              other.statistics());
  }();
  CHECK_THROWS_WITH(Trainer(o, "distillation", three, three), contains("is no classifier of 3"));
  o.teacher = (folder.path() / "none").string();
  CHECK_THROWS_WITH(Trainer(o, "distillation", train, test), contains("none"));
}

TEST_CASE("objective: pretrain, then linear on the saved features", "[objective]") {
  const auto train = stripes(128, 1), test = stripes(64, 2);
  const testing::TempDir folder;
  const auto file = folder.path() / "features.safetensors";
  TrainOptions o = small_options("tcl");
  o.phases = "pretrain";
  Trainer features(o, "tcl", train, test);
  double test_error = 0, knn_error = 1;
  features.run({.on_epoch = [&](const EpochMetrics& m) {
    test_error = m.test_error;
    knn_error = m.knn_error;
  }});
  CHECK(std::isnan(test_error));  // no classifier has been trained
  CHECK(knn_error < 0.1);
  save_weights(file, features.model(), o.model, train, false);
  CHECK_FALSE(load_weights(file).info.head_trained);

  TrainOptions linear = small_options("cce");
  linear.phases = "linear";
  linear.init_weights = file.string();
  linear.lr = 0.5;
  Trainer classifier(linear, "cce", train, test);
  const auto before = values(classifier.model());
  classifier.run({.on_epoch = [&](const EpochMetrics& m) { test_error = m.test_error; }});
  CHECK(test_error < 0.1);
  const auto after = values(classifier.model());
  for (size_t i = 0; i < after.size(); ++i)
    CHECK((before[i] == after[i]) == (i + 2 < after.size()));
}

TEST_CASE("objective: a linear classifier leaves frozen statistics alone", "[objective]") {
  // TCL's code leaves batch norm in training mode there, so that its frozen features move.
  models::ContrastiveNetwork network(
      std::make_unique<models::ResNetCifar>(
          models::ResNetCifarOptions{.depth = 8, .width = 2, .num_classes = 3}),
      models::Projector::None, 0);
  nn::init(network, 1);
  const auto statistics = [&] {
    std::vector<std::vector<float>> out;
    for (const nn::NamedParameter& buffer : network.named_buffers())
      out.push_back(buffer.tensor.to_vector<float>());
    return out;
  };
  const auto before = statistics();
  REQUIRE_FALSE(before.empty());
  Rng rng(1);
  std::vector<float> pixels(4 * 8 * 8 * 3);
  for (float& pixel : pixels) pixel = float(rng.below(256)) / 255;
  const Tensor images = Tensor::from(pixels, {4, 8, 8, 3});
  const Tensor labels = Tensor::from(std::vector<int64_t>{0, 1, 2, 0}, {4});
  const Objective objective("cce", {});
  objective(network, Phase::Linear, images, labels, labels).loss.backward();
  CHECK(statistics() == before);
  objective(network, Phase::Classifier, images, labels, labels);
  CHECK(statistics() != before);  // which a training of all would move
}

TEST_CASE("objective: options that do not go together are refused", "[objective]") {
  const auto refused = [](TrainOptions o, const std::string& why) {
    CHECK_THROWS_WITH(check_options(o), contains(why));
  };
  TrainOptions o = small_options("cce");
  o.phases = "pretrain";
  refused(o, "loss cce trains a classifier");
  o.phases = "linear";
  refused(o, "init-weights");
  o.init_weights = "x.safetensors";
  o.loss = "t-cce";
  refused(o, "not by t-cce");
  o = small_options("supcon");
  o.replicas = 1;
  refused(o, "at least two");
  o = small_options("h-scl");
  o.replicas = 3;
  refused(o, "2 views");
  o = small_options("supcon");
  o.accumulate = 2;
  refused(o, "no --accumulate");
  o = small_options("supcon");
  o.ema = 0.9;
  refused(o, "--ema");
  o = small_options("clce");
  o.mix = "d2";
  refused(o, "hard labels");
}

TEST_CASE("objective: every recipe's options exist and go together", "[objective]") {
  int recipes = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(testing::source_path("apps/configs"))) {
    if (entry.path().extension() != ".json") continue;
    INFO(entry.path().filename().string());
    ++recipes;
    TrainOptions o;
    Config config;
    declare(config, o);
    config.load_file(entry.path());
    if (o.phases == "linear") o.init_weights = "features.safetensors";
    CHECK_NOTHROW(check_options(o));
    CHECK_NOTHROW(check_loss_options(o, {o.loss}));
  }
  CHECK(recipes >= 11);
}

}  // namespace ditto::apps
