// RunSaver: when a training's checkpoints are written and what they say about the whole call.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "apps/classification/trainer.h"
#include "apps/common/checkpoint.h"
#include "apps/common/resume.h"
#include "apps/common/run_directory.h"

namespace ditto::apps {

// Where a call of `train` is in its plan of runs.
struct PlanPosition {
  std::string run;                 // name of the present run
  int64_t index = 0;               // of the present run; those before are done
  int64_t steps_before = 0;        // steps of the runs that are done
  int64_t rows = 0;                // that every run sees
  std::vector<std::string> notes;  // of the report
};

// The configuration and position that a checkpoint was saved with.
RunConfig saved_config(const Checkpoint& checkpoint);
PlanPosition saved_position(const Checkpoint& checkpoint);
// What the data were: {"train": fingerprint, "test": fingerprint}.
Json describe_data(const DataPair& data);
// Throws UsageError when the checkpoint was saved with other data. Returns a sentence, or "", where
// another revision of the program saved it.
std::string check_same_data_and_program(const Checkpoint& checkpoint, const Json& data);
// Where metrics.jsonl and log.txt go on.
RunPosition saved_files(ResumePoint& point);

class RunSaver {
 public:
  using Say = std::function<void(const std::string&)>;
  // `config` and `data` (describe_data) are kept in every checkpoint. All references must outlive
  // the saver.
  RunSaver(RunDirectory& run, const TrainOptions& options, RunConfig config, Json data, Say say);

  // The run that is saved from now on. `saved_step`: the step that it was resumed at, or -1.
  // Resuming sets newer checkpoints aside and removes those that are too many.
  void begin(const PlanPosition& position, int64_t saved_step);
  // For TrainCallbacks: saves when it is time to. After a signal it saves and returns false. A
  // checkpoint that a full disk refuses is said, and the training goes on with those that there
  // are; a number that is not finite is an Error and is never saved.
  bool between_steps(const Trainer& trainer, int64_t step);
  // Saves now; throws Error when it cannot be done.
  void save(const Trainer& trainer);

  // The newest checkpoint that was verified, "" before the first.
  std::string last_good() const { return last_good_.string(); }

 private:
  bool is_due(const Trainer& trainer, int64_t step) const;

  RunDirectory& run_;
  const TrainOptions& options_;
  RunConfig config_;
  Json data_;
  Say say_;
  CheckpointStore store_;
  PlanPosition position_;
  int64_t saved_step_ = -1;
  std::filesystem::path last_good_;
  std::chrono::steady_clock::time_point saved_at_;
};

}  // namespace ditto::apps
