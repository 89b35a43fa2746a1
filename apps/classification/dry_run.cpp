#include "apps/classification/dry_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <iostream>

#include "apps/common/text.h"

namespace ditto::apps {
namespace {

namespace fs = std::filesystem;

// A folder beside the run directory: on the same file system, where the checkpoints will be.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& run_dir) {
    path_ = run_dir.empty() ? fs::path("runs") / "run" : fs::absolute(run_dir);
    if (!path_.has_filename()) path_ = path_.parent_path();
    path_ += fmt::format(".dry-run-{}", ::getpid());
    fs::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
    fs::remove(path_.parent_path(), ignored);  // only if it is empty
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void check_same(const TensorMap& saved, const TensorMap& loaded, const char* file) {
  check(saved.size() == loaded.size(), "[dry_run]", file, "came back with other tensors");
  for (const auto& [name, tensor] : saved) {
    const auto found = loaded.find(name);
    check(found != loaded.end(), "[dry_run]", file, "came back without", name);
    const Tensor a = tensor.detach().contiguous(), b = found->second.detach().contiguous();
    const auto bytes = static_cast<size_t>(a.numel() * size_of(a.dtype()));
    check(a.shape() == b.shape() && a.dtype() == b.dtype() &&
              std::memcmp(a.view().data, b.view().data, bytes) == 0,
          "[dry_run]", file, "came back with another", name);
  }
}

}  // namespace

void dry_run(const RunPlan& plan, const DataPair& data, const std::string& run_dir) {
  const data::ImageDataset test = data.test.subset(std::min<int64_t>(250, data.test.size()));
  const TemporaryFolder folder(run_dir);
  for (const PlannedRun& planned : plan.runs) {
    const auto start = std::chrono::steady_clock::now();
    Trainer trainer(planned.options, planned.options.loss, data.train, test);
    const int64_t steps = trainer.total_steps();
    trainer.set_total_steps(1);
    EpochMetrics metrics;
    trainer.run({.on_epoch = [&](const EpochMetrics& m) { metrics = m; }});

    CheckpointStore store(folder.path() / planned.name, 1);
    Checkpoint saved{.step = 1, .model = {}, .optimizer = {}};
    trainer.save(saved);
    const fs::path path = store.save(saved);
    uintmax_t bytes = 0;
    for (const auto& entry : fs::directory_iterator(path)) bytes += entry.file_size();
    Trainer second(planned.options, planned.options.loss, data.train, test);
    second.restore(load_checkpoint(path));
    Checkpoint again{.step = 1, .model = {}, .optimizer = {}};
    second.save(again);
    check_same(saved.model, again.model, "model.safetensors");
    check_same(saved.optimizer, again.optimizer, "optimizer.safetensors");
    check(saved.trainer == again.trainer, "[dry_run] trainer.json came back changed");

    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    std::cout << fmt::format(
        "dry run: {}: {} with {} parameters, {} step{} planned: one step (loss {:.4f}), {} test "
        "images evaluated (loss {:.4f}), a checkpoint of {:.1f} MB saved, loaded and the same bit "
        "for bit, in {:.1f} s\n",
        planned.name, planned.options.model, count_text(double(trainer.parameter_count())), steps,
        steps == 1 ? "" : "s", metrics.train_loss, test.size(), metrics.test_loss,
        double(bytes) / 1e6, taken.count());
  }
  std::cout << fmt::format("dry run: all is well with {} run{}; nothing was kept\n",
                           plan.runs.size(), plan.runs.size() == 1 ? "" : "s");
}

}  // namespace ditto::apps
