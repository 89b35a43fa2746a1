// Checkpoints: a training's complete state on disk, such that a kill or a power cut at any moment
// leaves the newest complete one or the one before it.
//
//   checkpoints/
//     step_00001234/
//       model.safetensors      weights in PyTorch's names and order
//       optimizer.safetensors  optimizer state, averaged weights, buffers that PyTorch does not
//       have trainer.json           everything else: positions, counters, configuration
//       metrics.jsonl          the run's events so far
//       manifest.json          size and SHA-256 of each file, and of itself
//     LATEST                   "step_00001234"
//
// A save writes into step_N.tmp/, syncs every file and the folder, renames the folder, verifies it,
// renews LATEST and only then removes the oldest. docs/checkpoints.md tells the whole story.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/json.h"
#include "core/serialize.h"

namespace ditto::apps {

struct Checkpoint {
  int64_t step = 0;  // since the beginning of everything; numbers the folder
  TensorMap model, optimizer;
  Metadata model_metadata = {};
  Json trainer = Json::object();
  std::string metrics = {};
};

// Reads one checkpoint folder. Throws Error "[checkpoint] FOLDER: FILE: WHY" unless every file is
// there with the size and SHA-256 that the manifest gives and has the right form.
Checkpoint load_checkpoint(const std::filesystem::path& folder);

// Why a checkpoint cannot be loaded that need not be damaged.
class NotNow : public Error {
 public:
  using Error::Error;
};
// Another version of this program wrote it.
class OtherVersion : public NotNow {
 public:
  using NotNow::NotNow;
};

class CheckpointStore {
 public:
  // `folder` ("runs/x/checkpoints") need not exist yet. What an interrupted save left there is
  // removed.
  CheckpointStore(std::filesystem::path folder, int keep_last);

  // Saves, verifies, and then removes all but the newest `keep_last`. Returns the new folder.
  // Throws Error (disk full, ...) with the path; the older checkpoints are then as they were.
  std::filesystem::path save(const Checkpoint& checkpoint);

  // The newest checkpoint that verifies; nothing when there has never been one. Every damaged one
  // on the way is named to `warn` and renamed to step_N.damaged. Throws Error when none is left,
  // and NotNow when one has another format or may not be opened: that is no damage.
  std::optional<Checkpoint> load_newest(const std::function<void(const std::string&)>& warn);

  // The training goes on from `step`: newer checkpoints are renamed to step_N.superseded, and of
  // the others all but the newest `keep_last` are removed.
  void go_on_from(int64_t step);

  // Steps of the checkpoints, oldest first. Throws NotNow when the folder cannot be listed.
  std::vector<int64_t> steps() const;
  std::filesystem::path folder_of(int64_t step) const;
  const std::filesystem::path& folder() const { return folder_; }

 private:
  void set_aside(int64_t step, const char* suffix);
  void name_latest(int64_t step);
  void remove_oldest();

  std::filesystem::path folder_;
  int keep_last_;
};

// The step of a folder called step_N; nothing for any other name.
std::optional<int64_t> checkpoint_step(const std::filesystem::path& folder);

}  // namespace ditto::apps
