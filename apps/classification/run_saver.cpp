#include "apps/classification/run_saver.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "apps/common/build_info.h"
#include "apps/common/stop_signals.h"

namespace ditto::apps {
namespace {

namespace fs = std::filesystem;

// A part of trainer.json, as a T. The checksums hold, so a wrong one was made by hand.
template <class T>
T part(const Checkpoint& checkpoint, const char* pointer) {
  try {
    return checkpoint.trainer.at(Json::json_pointer(pointer)).get<T>();
  } catch (const Json::exception&) {
    fail("[checkpoint] trainer.json: missing or of the wrong type:", pointer);
  }
}

}  // namespace

RunConfig saved_config(const Checkpoint& checkpoint) {
  return {part<Json>(checkpoint, "/config/asked"), part<Json>(checkpoint, "/config/resolved")};
}

PlanPosition saved_position(const Checkpoint& checkpoint) {
  return {.run = part<std::string>(checkpoint, "/plan/run"),
          .index = part<int64_t>(checkpoint, "/plan/index"),
          .steps_before = part<int64_t>(checkpoint, "/plan/steps_before"),
          .rows = part<int64_t>(checkpoint, "/plan/rows"),
          .notes = part<std::vector<std::string>>(checkpoint, "/plan/notes")};
}

Json describe_data(const DataPair& data) {
  return {{"train", data.train.fingerprint()}, {"test", data.test.fingerprint()}};
}

std::string check_same_data_and_program(const Checkpoint& checkpoint, const Json& data) {
  const Json before = checkpoint.trainer.value("data", Json::object());
  for (const char* split : {"train", "test"})
    if (before.value(split, data[split]) != data[split])
      throw UsageError(fmt::format(
          "--resume: the {} images or labels are not those that the run was started with; give "
          "--data-root the folder of those, or start a new run",
          split == std::string("train") ? "training" : "test"));
  const std::string revision = checkpoint.trainer.value("git_revision", std::string());
  if (revision.empty() || revision == kBuildInfo.git_revision) return "";
  return fmt::format(
      "note: revision {} of the program saved the checkpoint, this is {}: the result may differ "
      "from that of an undisturbed run",
      printable(revision), kBuildInfo.git_revision);
}

RunPosition saved_files(ResumePoint& point) {
  return {.folder = point.run_dir,
          .lock = std::move(point.lock),
          .metrics = point.checkpoint.metrics,
          .log_bytes = part<int64_t>(point.checkpoint, "/log_bytes")};
}

RunSaver::RunSaver(RunDirectory& run, const TrainOptions& options, RunConfig config, Json data,
                   Say say)
    : run_(run),
      options_(options),
      config_(std::move(config)),
      data_(std::move(data)),
      say_(std::move(say)),
      store_(run.file("checkpoints"), options.keep_last),
      saved_at_(std::chrono::steady_clock::now()) {}

void RunSaver::begin(const PlanPosition& position, int64_t saved_step) {
  position_ = position;
  saved_step_ = saved_step;
  const fs::path before = store_.folder_of(position.steps_before);
  if (fs::exists(before)) last_good_ = before;
  if (saved_step < 0) return;
  // Only now that everything about the resuming is known to be right.
  const int64_t step = position.steps_before + saved_step;
  store_.go_on_from(step);
  last_good_ = store_.folder_of(step);
}

bool RunSaver::is_due(const Trainer& trainer, int64_t step) const {
  if (step == saved_step_) return false;
  // The last step's is the one from which a kill during the final writing is resumed. Before the
  // first step there is something to lose when a calibration has chosen the number of steps.
  if (step == trainer.total_steps()) return true;
  if (step == 0)
    return position_.index == 0 && config_.asked != config_.resolved &&
           config_.asked.value("minutes", 0.) > 0;
  const std::chrono::duration<double> since = std::chrono::steady_clock::now() - saved_at_;
  if (options_.save_every_minutes > 0 && since.count() >= options_.save_every_minutes * 60)
    return true;
  if (options_.save_every == 0) return false;
  const double interval = options_.save_every * trainer.steps_per_epoch();
  return step % std::max<int64_t>(1, std::llround(interval)) == 0;
}

bool RunSaver::between_steps(const Trainer& trainer, int64_t step) {
  if (StopSignals::requested()) {
    // Before the first step of a later run, the last step's checkpoint of the run before says it
    // all.
    const bool said =
        step == 0 && position_.index > 0 && fs::exists(store_.folder_of(position_.steps_before));
    if (step != saved_step_ && !said) save(trainer);
    return false;
  }
  if (!is_due(trainer, step)) return true;
  trainer.check_finite();
  try {
    save(trainer);
  } catch (const Error& error) {
    say_(
        fmt::format("WARNING: no checkpoint after step {}: {}; training goes on, and the last "
                    "checkpoint is {}",
                    step, error.what(), last_good().empty() ? "none" : last_good()));
    saved_at_ = std::chrono::steady_clock::now();  // not again at every step
  }
  return true;
}

void RunSaver::save(const Trainer& trainer) {
  Checkpoint checkpoint;
  checkpoint.step = position_.steps_before + trainer.step();
  checkpoint.trainer = {{"program", version_text()},
                        {"git_revision", kBuildInfo.git_revision},
                        {"plan",
                         {{"run", position_.run},
                          {"index", position_.index},
                          {"steps_before", position_.steps_before},
                          {"rows", position_.rows},
                          {"notes", position_.notes}}},
                        {"data", data_},
                        {"log_bytes", run_.log_bytes()},
                        {"config", {{"asked", config_.asked}, {"resolved", config_.resolved}}}};
  checkpoint.metrics = run_.metrics_so_far();
  trainer.save(checkpoint);
  last_good_ = store_.save(checkpoint);
  saved_step_ = trainer.step();
  saved_at_ = std::chrono::steady_clock::now();
}

}  // namespace ditto::apps
