// Resuming: a training that is saved, thrown away and restored ends with the bytes of one that was
// not; and configurations that do not fit are refused by name.
#include "apps/common/resume.h"

#include <cmath>
#include <cstring>
#include <map>

#include "apps/classification/trainer.h"
#include "tests/support/catch.h"
#include "tests/support/checkpoints.h"
#include "tests/support/temp_dir.h"

namespace ditto::apps {
namespace {

namespace fs = std::filesystem;
using testing::contains;
using testing::same_bits;
using testing::state_of;
using testing::TempDir;

data::ImageDataset noise(int64_t n, uint64_t seed) {
  Tensor images = Tensor::empty({n, 8, 8, 1}, Dtype::U8), labels = Tensor::empty({n}, Dtype::I64);
  Rng rng(seed);
  for (int64_t i = 0; i < n; ++i) {
    labels.data<int64_t>()[i] = i % 2;
    for (int64_t p = 0; p < 64; ++p)
      images.data<uint8_t>()[i * 64 + p] = static_cast<uint8_t>(rng.below(256));
  }
  return data::ImageDataset("noise", images, labels, {"a", "b"}, {{0.5f}, {0.25f}});
}

TrainOptions options() {
  TrainOptions o;
  o.model = "mlp";
  o.batch = 16;
  o.epochs = 3;  // of four steps
  o.lr = 0.05;
  o.crop_padding = 1;
  o.accumulate = 2;
  o.ema = 0.9;
  o.dropout = 0.3;
  return o;
}

// What the epochs reported, without times.
using Numbers = std::vector<double>;
void append(Numbers& numbers, const EpochMetrics& m) {
  for (double v :
       {m.epoch, m.images, m.learning_rate, m.train_loss, m.train_error, m.test_loss, m.test_error})
    numbers.push_back(v);
}

// Trains with a new process's worth of objects after every `interval` steps, each going through the
// files of a checkpoint.
Checkpoint train_in_pieces(const TrainOptions& o, const std::string& loss, int64_t interval,
                           Numbers& numbers) {
  const data::ImageDataset train = noise(64, 1), test = noise(16, 2);
  const TempDir dir;
  CheckpointStore store(dir / "checkpoints", 2);
  fs::path last;
  for (;;) {
    Trainer trainer(o, loss, train, test);
    if (!last.empty()) trainer.restore(load_checkpoint(last));
    const int64_t until = trainer.step() + interval;
    const bool finished =
        trainer.run({.on_epoch = [&](const EpochMetrics& m) { append(numbers, m); },
                     .between_steps = [&](int64_t step) { return step < until; }});
    Checkpoint state = state_of(trainer);
    if (finished) return state;
    state.step = trainer.step();
    last = store.save(state);
  }
}

}  // namespace

TEST_CASE("resume: however often it is interrupted, a training ends with the same bits", "[apps]") {
  struct Case {
    const char *loss, *optimizer, *mix;
    int workers;
    double eval_every;
  };
  for (const Case& c : {Case{"t-cce", "sgd", "none", 2, 1}, Case{"cce", "adam", "d2", 1, 0.5},
                        Case{"t-cce", "adamw", "d1", 0, 0.7}}) {
    TrainOptions o = options();
    o.optimizer = c.optimizer;
    o.mix = c.mix;
    o.workers = c.workers;
    o.eval_every = c.eval_every;
    Numbers undisturbed_numbers;
    const Checkpoint undisturbed = train_in_pieces(o, c.loss, 1000, undisturbed_numbers);
    REQUIRE_FALSE(undisturbed_numbers.empty());
    for (const int64_t interval : {1, 2, 3, 5, 11, 12}) {
      Numbers numbers;
      const Checkpoint state = train_in_pieces(o, c.loss, interval, numbers);
      INFO(c.loss << " " << c.optimizer << ", interrupted after every " << interval << " steps");
      CHECK(same_bits(state.model, undisturbed.model));
      CHECK(same_bits(state.optimizer, undisturbed.optimizer));
      CHECK(numbers == undisturbed_numbers);
      CHECK(state.trainer["state"]["loader"] == undisturbed.trainer["state"]["loader"]);
    }
  }
}

TEST_CASE("resume: an evaluation that was cut short is done again", "[apps]") {
  const data::ImageDataset train = noise(64, 1), test = noise(16, 2);
  Trainer trainer(options(), "cce", train, test);
  bool stop = true;
  int epochs = 0;
  const TrainCallbacks callbacks{.on_epoch = [&](const EpochMetrics&) { ++epochs; },
                                 .stop = [&] { return stop; }};
  CHECK_FALSE(trainer.run(callbacks));
  CHECK(trainer.step() == 4);
  CHECK(epochs == 0);
  const Checkpoint state = state_of(trainer);
  CHECK(state.trainer["state"]["evaluation_due"] == true);
  Trainer second(options(), "cce", train, test);
  second.restore(state);
  stop = false;
  CHECK(second.run(callbacks));
  CHECK(epochs == 3);
}

TEST_CASE("resume: a checkpoint of another model, optimizer or form is refused", "[apps]") {
  const data::ImageDataset train = noise(64, 1), test = noise(16, 2);
  Trainer trainer(options(), "cce", train, test);
  trainer.run({.between_steps = [](int64_t step) { return step < 2; }});
  const Checkpoint good = state_of(trainer);
  const auto refused = [&](const TrainOptions& o, const Checkpoint& checkpoint,
                           const std::string& words) {
    Trainer other(o, "cce", train, test);
    CHECK_THROWS_WITH(other.restore(checkpoint), contains(words));
  };
  TrainOptions o = options();
  o.model = "resnet20";
  o.dropout = 0;
  refused(o, good, "missing: conv1.weight");
  o = options();
  o.optimizer = "adam";
  refused(o, good, "has no first_moment.0.0");
  o = options();
  o.ema = 0;
  refused(o, good, "tensors, this training");
  Checkpoint bad = good;
  bad.optimizer["velocity.0.0"] = Tensor::zeros({3});
  refused(options(), bad, "velocity.0.0");
  bad = good;
  bad.model.erase(bad.model.begin());
  refused(options(), bad, "missing");
  for (const auto& [key, value] : good.trainer["state"].items()) {
    bad = good;
    bad.trainer["state"].erase(key);
    refused(options(), bad, key);
    bad.trainer["state"][key] = "text";
    const std::map<std::string, std::string> first_field{
        {"loader", "epoch"}, {"optimizer", "steps"}, {"since_evaluation", "loss_sum"}};
    refused(options(), bad, first_field.count(key) ? first_field.at(key) : key);
  }
  bad = good;
  bad.trainer["state"]["loader"] = {{"epoch", -1}, {"batch", 0}};
  refused(options(), bad, "cannot seek");
  bad.trainer["state"]["loader"] = {{"epoch", 0}, {"batch", 1000000}};
  refused(options(), bad, "cannot seek");
  bad = good;
  bad.trainer = 7;
  refused(options(), bad, "state");
}

TEST_CASE("resume: a number that is not finite is never saved", "[apps]") {
  const data::ImageDataset train = noise(64, 1), test = noise(16, 2);
  Trainer trainer(options(), "cce", train, test);
  Checkpoint out;
  CHECK_THROWS_WITH(trainer.save(out), contains("nothing to save"));
  trainer.run({.between_steps = [](int64_t step) { return step < 2; }});
  CHECK_NOTHROW(trainer.save(out));
  trainer.model().parameters()[1].detach().data<float>()[3] = NAN;
  CHECK_THROWS_WITH(trainer.save(out),
                    contains("after step 2 ; the first bad tensor is parameter fc1.bias"));
}

TEST_CASE("resume: options are taken over, and differences are named", "[apps]") {
  const RunConfig run{
      .asked = {{"lr", 0.1}, {"batch", 32}, {"threads", 0}, {"workers", 1}, {"minutes", 5.0}},
      .resolved = {{"lr", 0.1}, {"batch", 32}, {"threads", 2}, {"workers", 1}, {"minutes", 0.0}}};
  const MayDiffer may{.freely = {"workers"}, .noticed = {"threads"}};
  struct Options {
    double lr = 1, minutes = 1;
    int64_t batch = 1, added = 9;
    int threads = 7, workers = 3;
    std::string resume = "x";
    Config config;
    Options() {
      config.add("lr", &lr, "");
      config.add("batch", &batch, "");
      config.add("threads", &threads, "");
      config.add("workers", &workers, "");
      config.add("minutes", &minutes, "");
      config.add("added", &added, "");  // since the checkpoint was written
      config.add("resume", &resume, "").flag_only();
    }
  };
  {  // Nothing given: all as it was decided.
    Options o;
    CHECK(adopt_config(o.config, run, may).empty());
    CHECK(o.lr == 0.1);
    CHECK(o.batch == 32);
    CHECK(o.threads == 2);
    CHECK(o.workers == 1);
    CHECK(o.minutes == 0);
    CHECK(o.added == 9);
  }
  {  // The same command line again: "0 threads" and "5 minutes" were decided then.
    Options o;
    for (const char* text : {"lr=0.1", "threads=0", "minutes=5"}) o.config.set(text);
    CHECK(adopt_config(o.config, run, may).empty());
    CHECK(o.threads == 2);
    CHECK(o.minutes == 0);
  }
  {  // What may differ.
    Options o;
    for (const char* text : {"workers=0", "threads=1"}) o.config.set(text);
    const std::vector<std::string> notes = adopt_config(o.config, run, may);
    REQUIRE(notes.size() == 1);
    CHECK_THAT(notes[0], contains("threads 1 (before: 2)"));
    CHECK(o.threads == 1);
    CHECK(o.workers == 0);
  }
  {  // What must not.
    Options o;
    for (const char* text : {"lr=0.2", "batch=64", "workers=0"}) o.config.set(text);
    CHECK_THROWS_AS(adopt_config(o.config, run, may), UsageError);
    CHECK_THROWS_WITH(adopt_config(o.config, run, may),
                      contains("lr 0.2 (before: 0.1)") && contains("batch 64 (before: 32)"));
  }
}

TEST_CASE("resume: what --resume names", "[apps]") {
  const TempDir dir;
  const fs::path run = dir / "run";
  const auto warn = [](const std::string& line) { FAIL(line); };
  const auto find = [&](const RunDirectoryOptions& o) { return find_resume_point(o, 3, warn); };
  const std::string name = run.string(), none = (dir / "none").string();
  CHECK_FALSE(find({}));
  CHECK_FALSE(find({.run_dir = none, .resume = "auto"}));
  CHECK_THROWS_AS(find({.resume = "auto"}), UsageError);
  CHECK_THROWS_WITH(find({.resume = none}), contains("no folder"));
  fs::create_directory(run);
  CHECK_THROWS_WITH(find({.resume = name}), contains("neither a run directory"));
  fs::create_directory(run / "checkpoints");
  CHECK_THROWS_WITH(find({.resume = name}), contains("has no checkpoint"));
  CHECK_FALSE(find({.run_dir = name, .resume = "auto"}));
  CHECK_THROWS_AS(find({.run_dir = name, .overwrite = true, .resume = "auto"}), UsageError);

  CheckpointStore store(run / "checkpoints", 3);
  for (int64_t step : {1, 2, 3}) store.save({.step = step, .model = {}, .optimizer = {}});
  CHECK(find({.run_dir = name, .resume = "auto"})->checkpoint.step == 3);
  CHECK(find({.resume = name + "/"})->checkpoint.step == 3);
  CHECK_THROWS_WITH(find({.run_dir = none, .resume = name}), contains("--run-dir names another"));
  {
    const auto held = find({.resume = name});
    CHECK(held->run_dir == run);
    CHECK_THROWS_WITH(find({.resume = name}), contains("another process"));
  }
  // An older one: the training goes back to it, once it runs.
  const auto older = find({.resume = (run / "checkpoints/step_00000002/").string()});
  CHECK(older->checkpoint.step == 2);
  CHECK(fs::equivalent(older->run_dir, run));
  CHECK(store.steps() == std::vector<int64_t>{1, 2, 3});
}

}  // namespace ditto::apps
