// Resuming: finding the checkpoint from which a run goes on, and taking over its configuration.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "apps/common/checkpoint.h"
#include "apps/common/config.h"
#include "apps/common/run_directory.h"

namespace ditto::apps {

struct ResumePoint {
  std::filesystem::path run_dir;
  FolderLock lock;  // of run_dir
  Checkpoint checkpoint;
};

// What `--resume` names: "auto", the newest checkpoint of --run-dir if there is one; a run
// directory, its newest checkpoint; a checkpoint folder, that one.
// Nothing when `options.resume` is empty or auto finds no checkpoint. `warn` hears of damaged
// checkpoints. Throws UsageError when it names neither, Error when no checkpoint is sound.
std::optional<ResumePoint> find_resume_point(const RunDirectoryOptions& options, int keep_last,
                                             const std::function<void(const std::string&)>& warn);

// The configuration of a run: as it was asked for, and as it was resolved ("auto" decided).
struct RunConfig {
  Json asked, resolved;
};

// Options that may differ from the checkpoint's.
struct MayDiffer {
  std::vector<std::string> freely;   // they change nothing in the result
  std::vector<std::string> noticed;  // they do, which is said
};

// Gives every option that the user did not set its value from the run. Throws UsageError with the
// list when a set one differs and must not. Returns a sentence for each noticed difference.
std::vector<std::string> adopt_config(const Config& config, const RunConfig& run,
                                      const MayDiffer& may_differ);

}  // namespace ditto::apps
