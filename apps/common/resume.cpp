#include "apps/common/resume.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/common/text.h"
#include "core/file.h"

namespace ditto::apps {
namespace {

namespace fs = std::filesystem;

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Without the slash at the end, which would hide the last name.
fs::path without_slash(const std::string& text) {
  fs::path path = text;
  return path.has_filename() ? path : path.parent_path();
}

}  // namespace

std::optional<ResumePoint> find_resume_point(const RunDirectoryOptions& options, int keep_last,
                                             const std::function<void(const std::string&)>& warn) {
  if (options.resume.empty()) return {};
  const bool automatic = options.resume == "auto";
  if (automatic && options.run_dir.empty())
    throw UsageError("--resume auto needs --run-dir, the folder to look in");
  if (options.overwrite)
    throw UsageError("--resume goes on with a run, --overwrite replaces it: choose one");
  const fs::path named = without_slash(automatic ? options.run_dir : options.resume);
  const bool one = checkpoint_step(named).has_value();
  const fs::path run_dir = one ? fs::absolute(named).parent_path().parent_path() : named;
  std::error_code error;
  if (!automatic) {
    if (!fs::is_directory(named, error))
      throw UsageError(fmt::format("--resume: {} is no folder", printable(named.string())));
    if (!options.run_dir.empty() && !fs::equivalent(options.run_dir, run_dir, error))
      throw UsageError(
          fmt::format("--resume goes on in the run's own folder, {}; --run-dir names another",
                      printable(run_dir.string())));
  }
  if (!fs::is_directory(run_dir / "checkpoints", error)) {
    if (automatic) return {};
    throw UsageError(
        fmt::format("--resume: {} is neither a run directory with checkpoints nor a "
                    "checkpoint folder (step_N)",
                    printable(named.string())));
  }
  ResumePoint point{.run_dir = run_dir, .lock = FolderLock(run_dir), .checkpoint = {}};
  CheckpointStore store(run_dir / "checkpoints", keep_last);
  if (one) {
    point.checkpoint = load_checkpoint(named);
    return point;
  }
  std::optional<Checkpoint> newest = store.load_newest(warn);
  if (newest) {
    point.checkpoint = std::move(*newest);
    return point;
  }
  if (!automatic)
    throw UsageError(fmt::format("--resume: {} has no checkpoint", printable(named.string())));
  return {};
}

std::vector<std::string> adopt_config(const Config& config, const RunConfig& run,
                                      const MayDiffer& may_differ) {
  check(run.asked.is_object() && run.resolved.is_object(),
        "[resume] the checkpoint holds no configuration");
  std::vector<std::string> differences, notes;
  for (const auto& option : config.options()) {
    const std::string& name = option->name();
    if (option->is_flag_only() || !run.resolved.contains(name)) continue;
    const Json &resolved = run.resolved[name], asked = run.asked.value(name, resolved);
    const Json now = option->value();
    const bool set = option->origin() != Origin::Default;
    if (set && now != asked && now != resolved) {
      if (contains(may_differ.freely, name)) continue;
      const std::string text =
          fmt::format("{} {} (before: {})", name, option->text(), json_line(resolved));
      (contains(may_differ.noticed, name) ? notes : differences).push_back(text);
      continue;
    }
    option->assign(resolved, option->origin(), "checkpoint");
  }
  if (!differences.empty())
    throw UsageError(fmt::format(
        "--resume: these options differ from the run's: {}. Leave them out to go on as before, or "
        "start a new run; only {} and {} may differ",
        join(differences, ", "), join(may_differ.freely, ", "), join(may_differ.noticed, ", ")));
  std::vector<std::string> sentences;
  for (const std::string& note : notes)
    sentences.push_back("resumed with other " + note +
                        ": the result is not that of an undisturbed run");
  return sentences;
}

}  // namespace ditto::apps
