// bench: images per second of the ResNet-20 training step and of the augmentation, for side-by-side
// runs with peers (tests/reference/bench_peer.py). Prints one JSON object per line on standard
// output.
//
//   bench --what resnet20 --batch 128 --threads 2 --repeats 10
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>

#include "apps/common/bench_data.h"
#include "apps/common/bench_kernels.h"
#include "apps/common/command_line.h"
#include "apps/common/device_options.h"
#include "apps/common/environment.h"
#include "autograd/mixed_precision.h"
#include "autograd/ops.h"
#include "core/rng.h"
#include "losses/losses.h"
#include "losses/pair_losses.h"
#include "models/models.h"
#include "nn/graphed_step.h"
#include "nn/init.h"
#include "nn/optim/sgd.h"

namespace ditto::apps {
namespace {

struct BenchOptions {
  std::string what = "resnet20";
  std::string loss = "cce";
  std::string pair_loss = "supcon";
  std::string data_root;
  int64_t batch = 128;
  int threads = 0;
  int repeats = 10;
  int warmup = 3;
  bool cost = false;
  std::string precision = "f32";
  DeviceOptions compute;
  Device device;
};

// Resident memory before the work began, and the most there was.
int64_t idle_bytes = 0;
int64_t peak_resident_bytes() {
  // Not ru_maxrss of getrusage: that is never below what the calling program had when it forked.
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmHWM:", 0) == 0) return std::stoll(line.substr(6)) * 1024;
  return 0;
}

struct Usage {
  double wall, cpu;
  int64_t preempted;
};

Usage usage_now() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  const auto seconds = [](const timeval& t) { return double(t.tv_sec) + 1e-6 * double(t.tv_usec); };
  const auto wall = std::chrono::steady_clock::now().time_since_epoch();
  return {std::chrono::duration<double>(wall).count(), seconds(u.ru_utime) + seconds(u.ru_stime),
          u.ru_nivcsw};
}

// Runs `work` (which handles `images` images) and prints every repetition's wall and CPU seconds,
// and how often the system took the processor away meanwhile.
template <class F>
void measure(const BenchOptions& o, const std::string& name, int64_t images, F&& one) {
  const auto work = [&] {
    one();
    synchronize(o.device);
  };
  for (int i = 0; i < o.warmup; ++i) work();
  std::vector<double> wall;
  Json samples = Json::array();
  for (int i = 0; i < o.repeats; ++i) {
    const Usage before = usage_now();
    work();
    const Usage after = usage_now();
    wall.push_back(after.wall - before.wall);
    samples.push_back({{"wall", after.wall - before.wall},
                       {"cpu", after.cpu - before.cpu},
                       {"preempted", after.preempted - before.preempted}});
  }
  std::sort(wall.begin(), wall.end());
  const Json line = {{"bench", name},
                     {"program", "ditto"},
                     {"images", images},
                     {"device", device_text(o.device)},
                     {"threads", num_threads()},
                     {"best_images_per_second", double(images) / wall.front()},
                     {"median_images_per_second", double(images) / wall[wall.size() / 2]},
                     {"resident_bytes", resident_bytes()},
                     {"resident_growth_bytes", peak_resident_bytes() - idle_bytes},
                     {"samples", samples}};
  fmt::print("{}\n", line.dump());
  std::fflush(stdout);
}

// A training step as train_cifar does it, on random pixels that stay in memory.
class TrainingStep {
 public:
  explicit TrainingStep(const BenchOptions& o)
      : model_(models::make_model(o.what, {.head = losses::loss_head(o.loss)})),
        images_(Tensor::empty({o.batch, 32, 32, 3})),
        labels_(Tensor::empty({o.batch}, Dtype::I64)),
        groups_(Tensor::empty({o.batch}, Dtype::I64)) {
    nn::init(*model_, 1);
    model_->to(o.device);
    state_ = losses::make_loss_state(o.loss, {.samples = o.batch,
                                              .features = model_->head()->weight().dim(1),
                                              .class_counts = std::vector<int64_t>(10, o.batch)});
    if (state_) nn::init(*state_, 2);
    if (state_) state_->to(o.device);
    optimizer_ =
        std::make_unique<nn::Sgd>(nn::parameter_groups(*model_, 1e-4), nn::SgdOptions{.lr = 0.1});
    Rng rng(1);
    for (int64_t i = 0; i < images_.numel(); ++i)
      images_.data<float>()[i] = static_cast<float>(rng.normal());
    for (int64_t i = 0; i < o.batch; ++i) {
      labels_.data<int64_t>()[i] = i / 2 % 10;
      groups_.data<int64_t>()[i] = i / 2;
    }
    for (Tensor* tensor : {&images_, &labels_, &groups_}) *tensor = tensor->to(o.device);
    if (o.compute.cuda_graph)
      graphed_ = std::make_unique<nn::GraphedStep>(*model_, [this](const Tensors&) -> Tensors {
        gradients(*graphed_loss_);
        return {};
      });
  }
  void operator()(const losses::ClassificationLoss& loss) {
    graphed_loss_ = &loss;
    if (graphed_) {
      (*graphed_)({images_});
    } else {
      optimizer_->zero_grad();
      gradients(loss);
    }
    optimizer_->step();
  }

 private:
  void gradients(const losses::ClassificationLoss& loss) {
    const Tensor features = model_->features(images_), logits = model_->classify(features);
    // A teacher costs what the caller pays for its logits; these are the model's own.
    loss({logits, features, model_->head()->weight(), logits.detach()}, labels_,
         {groups_, state_.get()})
        .backward();
  }

  std::unique_ptr<models::Classifier> model_;
  std::unique_ptr<nn::Module> state_;  // of the loss; not trained
  std::unique_ptr<nn::Sgd> optimizer_;
  Tensor images_, labels_, groups_;
  const losses::ClassificationLoss* graphed_loss_ = nullptr;  // of the step that is running
  std::unique_ptr<nn::GraphedStep> graphed_;
};

void bench_training(const BenchOptions& o) {
  const MixedPrecision precision(o.precision == "bf16" ? Dtype::BF16 : Dtype::F32);
  TrainingStep step(o);
  const auto loss = losses::make_loss(o.loss, {});
  measure(o, o.what + "-train-" + o.loss, o.batch, [&] { step(loss); });
}

// What a loss costs: steps with it and with plain cross-entropy in turn, in CPU seconds, so that a
// busy machine disturbs both alike.
void bench_loss_cost(const BenchOptions& o) {
  TrainingStep step(o);
  const losses::ClassificationLoss loss[2] = {losses::make_loss("cce", {}),
                                              losses::make_loss(o.loss, {})};
  std::vector<double> cpu[2];
  for (int i = -o.warmup; i < o.repeats; ++i)
    for (int which = 0; which < 2; ++which) {
      const Usage before = usage_now();
      step(loss[which]);
      if (i >= 0) cpu[which].push_back(usage_now().cpu - before.cpu);
    }
  double median[2];
  for (int which = 0; which < 2; ++which) {
    std::sort(cpu[which].begin(), cpu[which].end());
    median[which] = cpu[which][cpu[which].size() / 2];
  }
  const Json line = {{"bench", o.what + "-cost-of-" + o.loss},
                     {"program", "ditto"},
                     {"threads", num_threads()},
                     {"cce_cpu_seconds", median[0]},
                     {"loss_cpu_seconds", median[1]},
                     {"ratio_of_medians", median[1] / median[0]},
                     {"ratio_of_bests", cpu[1].front() / cpu[0].front()}};
  fmt::print("{}\n", line.dump());
}

// Forward and backward of a loss over --batch embeddings of 128 numbers in ten classes and two
// views.
void bench_pair_loss(const BenchOptions& o) {
  const int64_t samples = o.batch / 2;
  Tensor z = Tensor::empty({2 * samples, 128});
  Rng rng(1);
  for (int64_t i = 0; i < z.numel(); ++i) z.data<float>()[i] = static_cast<float>(rng.normal());
  std::vector<int64_t> labels, ids;
  for (int64_t i = 0; i < 2 * samples; ++i) {
    labels.push_back(i % samples % 10);
    ids.push_back(i % samples);
  }
  z = z.to(o.device);
  z.set_requires_grad(true);
  const auto on_device_of = [&](const std::vector<int64_t>& v) {
    return Tensor::from(v, {2 * samples}).to(o.device);
  };
  const Tensor y = on_device_of(labels), views = on_device_of(ids);
  const auto loss = losses::make_pair_loss(o.pair_loss);
  const auto state = losses::make_pair_loss_state(
      o.pair_loss,
      {.samples = samples, .embeddings = 128, .class_counts = std::vector<int64_t>(10, samples)});
  if (state) nn::init(*state, 2);
  if (state) state->to(o.device);
  reset_peak_memory(o.device);
  const int64_t before = memory_stats(o.device).current;
  loss(z, y, {views, state.get()}).loss.backward();
  const Json memory = {{"bench", "pair-loss-memory-" + o.pair_loss},
                       {"program", "ditto"},
                       {"rows", 2 * samples},
                       {"peak_bytes", memory_stats(o.device).peak - before}};
  fmt::print("{}\n", memory.dump());
  measure(o, "pair-loss-" + o.pair_loss, 2 * samples, [&] {
    z.zero_grad();
    loss(z, y, {views, state.get()}).loss.backward();
  });
}

// Bytes that a kernel must move at least, per second: to be compared with what the memory gives.
void bench_kernels(const BenchOptions& o) {
  constexpr int kCalls = 20;  // between two looks at the clock: launches overlap with work
  for (const KernelBench& kernel : streaming_kernels(o.device, o.batch)) {
    for (int i = 0; i < o.warmup; ++i) kernel.run();
    synchronize(o.device);
    double best = INFINITY;
    for (int i = 0; i < o.repeats; ++i) {
      const double start = usage_now().wall;
      for (int call = 0; call < kCalls; ++call) kernel.run();
      synchronize(o.device);
      best = std::min(best, (usage_now().wall - start) / kCalls);
    }
    const Json line = {{"bench", kernel.name},
                       {"program", "ditto"},
                       {"device", device_text(o.device)},
                       {"threads", num_threads()},
                       {"bytes", kernel.bytes},
                       {"best_seconds", best},
                       {"gigabytes_per_second", 1e-9 * double(kernel.bytes) / best}};
    fmt::print("{}\n", line.dump());
    std::fflush(stdout);
  }
}

void bench_data(const BenchOptions& o, const std::vector<DataBench>& benches) {
  for (const DataBench& bench : benches) measure(o, bench.name, bench.rows, bench.run);
}

}  // namespace
}  // namespace ditto::apps

int main(int argc, char** argv) {
  using namespace ditto::apps;
  BenchOptions options;
  CommandLine app("bench", "Speed of the training step and of the augmentation.");
  app.add(
      "run", "measure (the default)",
      [&](Config& config) {
        std::vector<std::string> what = ditto::models::model_names();
        what.insert(what.end(), {"augment", "penn-fudan", "decode", "kernels", "pair-loss"});
        config
            .add("what", &options.what,
                 "a model's training step, augment (CIFAR's pipeline), penn-fudan (that of a "
                 "detector), decode (image files), kernels (bytes per second), or pair-loss "
                 "(forward and backward of --pair-loss over --batch embeddings)")
            .choices(what);
        declare(config, options.compute);
        config.add("cuda-graph", &options.compute.cuda_graph,
                   "GPU: forward, loss and backward of the training step as a CUDA graph");
        config.add("precision", &options.precision, "of the training step's activations")
            .choices({"f32", "bf16"});
        config.add("loss", &options.loss, "of the training step")
            .choices(ditto::losses::loss_names());
        config.add("pair-loss", &options.pair_loss, "of --what pair-loss")
            .choices(ditto::losses::pair_loss_names());
        config.add("cost", &options.cost,
                   "compare steps with --loss to steps with cce, in CPU seconds");
        config.add("data-root", &options.data_root,
                   "of --what penn-fudan; of --what decode a folder of image files");
        config.add("batch", &options.batch, "rows").range(2, 1 << 20);
        config.add("threads", &options.threads, "0: all cores").range(0, 4096);
        config.add("repeats", &options.repeats, "timed repetitions").range(1, 100000);
        config.add("warmup", &options.warmup, "repetitions before").range(0, 1000);
      },
      [&](const Invocation&) {
        if (options.threads > 0) ditto::set_num_threads(options.threads);
        const ditto::DeviceChoice choice = use(options.compute);
        if (!choice.note.empty()) fmt::print(stderr, "{}\n", choice.note);
        options.device = choice.device;
        if (options.cost && !choice.device.is_cpu())
          throw UsageError("cost is in CPU seconds: it needs --device cpu");
        idle_bytes = resident_bytes();
        if (options.what == "augment")
          bench_data(options, cifar_benches(options.batch));
        else if (options.what == "penn-fudan")
          bench_data(options, instance_benches(options.data_root));
        else if (options.what == "decode")
          bench_data(options, decode_benches(options.data_root));
        else if (options.what == "kernels")
          bench_kernels(options);
        else if (options.what == "pair-loss")
          bench_pair_loss(options);
        else
          options.cost ? bench_loss_cost(options) : bench_training(options);
      });
  return app.run(argc, argv);
}
