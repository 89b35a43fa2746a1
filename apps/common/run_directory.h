// RunDirectory: the folder that holds everything about one call of an app.
//
//   config.json       the resolved options; `--config` takes it back
//   environment.json  program, machine, libraries, command line (environment.h)
//   metrics.jsonl     one line per event (metrics.h)
//   log.txt           what was said on the terminal, each line with its time
//   report.html, *.svg, sweep.csv, *.safetensors  written by the app
//   checkpoints/      step_N folders and LATEST (checkpoint.h)
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "apps/common/command_line.h"
#include "apps/common/config.h"
#include "apps/common/json.h"
#include "apps/common/metrics.h"

namespace ditto::apps {

struct RunDirectoryOptions {
  std::string run_dir = {};  // "" makes runs/<app>-<date>-<time>-<n>
  bool overwrite = false;
  std::string resume = {};  // "", "auto" or a path (resume.h)
};

// Adds --run-dir, --overwrite and --resume.
void declare(Config& config, RunDirectoryOptions& options);

// Keeps other processes out of a run's folder for as long as it lives; the system drops the lock
// when the process dies, however it dies.
class FolderLock {
 public:
  FolderLock() = default;
  // Throws Error when another process has the folder.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(FolderLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FolderLock& operator=(FolderLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  bool held() const { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
};

// Where a resumed run takes up its files again; what was written after that moment is dropped, so
// that nothing appears twice.
struct RunPosition {
  std::filesystem::path folder;
  FolderLock lock;
  std::string metrics;    // content of metrics.jsonl
  int64_t log_bytes = 0;  // length of log.txt
};

class RunDirectory {
 public:
  // Makes the folder and writes config.json and environment.json. Throws UsageError when --run-dir
  // names a file or a folder that is not empty; with `overwrite`, a former run directory loses the
  // files listed above (nothing else in it is touched), and any other non-empty folder is refused.
  // With `resume` set to "auto" the same happens to a run that has left neither weights nor
  // checkpoints.
  RunDirectory(const RunDirectoryOptions& options, const Invocation& invocation);
  // Goes on with a run.
  RunDirectory(RunPosition position, const Invocation& invocation);
  ~RunDirectory();

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path file(const std::string& name) const { return path_ / name; }
  const Json& environment() const { return environment_; }
  MetricsWriter& metrics() { return *metrics_; }
  // Appends "time  line" to log.txt, flushed. Throws Error when it cannot be written.
  void log(std::string_view line);
  // What a checkpoint needs to take up the files again.
  std::string metrics_so_far() const;
  int64_t log_bytes() const;

 private:
  void open(const Invocation& invocation, Json starts);

  std::filesystem::path path_;
  FolderLock lock_;
  Json environment_;
  std::unique_ptr<MetricsWriter> metrics_;
  int log_ = -1;
};

}  // namespace ditto::apps
