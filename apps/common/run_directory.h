// RunDirectory: the folder that holds everything about one call of an app.
//
//   config.json       the resolved options; `--config` takes it back
//   environment.json  program, machine, libraries, command line (environment.h)
//   metrics.jsonl     one line per event (metrics.h)
//   log.txt           what was said on the terminal, each line with its time
//   report.html, *.svg, sweep.csv, *.safetensors  written by the app
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

#include "apps/common/command_line.h"
#include "apps/common/config.h"
#include "apps/common/json.h"
#include "apps/common/metrics.h"

namespace ditto::apps {

struct RunDirectoryOptions {
  std::string run_dir;  // "" makes runs/<app>-<date>-<time>-<n>
  bool overwrite = false;
};

// Adds --run-dir and --overwrite.
void declare(Config& config, RunDirectoryOptions& options);

class RunDirectory {
 public:
  // Makes the folder and writes config.json and environment.json. Throws UsageError when --run-dir
  // names a file or a folder that is not empty; with `overwrite`, a former run directory loses the
  // files listed above (nothing else in it is touched), and any other non-empty folder is refused.
  RunDirectory(const RunDirectoryOptions& options, const Invocation& invocation);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path file(const std::string& name) const { return path_ / name; }
  const Json& environment() const { return environment_; }
  MetricsWriter& metrics() { return *metrics_; }
  // Appends "time  line" to log.txt, flushed. Throws Error when it cannot be written.
  void log(std::string_view line);

 private:
  std::filesystem::path path_;
  Json environment_;
  std::unique_ptr<MetricsWriter> metrics_;
  std::ofstream log_;
};

}  // namespace ditto::apps
