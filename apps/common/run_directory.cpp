#include "apps/common/run_directory.h"

#include <fmt/format.h>

#include <ctime>

#include "apps/common/environment.h"
#include "apps/common/files.h"

namespace ditto::apps {
namespace {

namespace fs = std::filesystem;

// Is this one of the files that a run directory's header lists?
bool belongs_to_run(const fs::path& path) {
  const std::string name = path.filename().string(), extension = path.extension().string();
  return name == "config.json" || name == "environment.json" || name == "metrics.jsonl" ||
         name == "log.txt" || name == "report.html" || name == "sweep.csv" || extension == ".svg" ||
         extension == ".safetensors";
}

// runs/<app>-<date>-<time>-<n> with the first n that is free. Making the folder is what claims it,
// so two runs started in the same second do not share one.
fs::path make_new(const std::string& app) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char date[32];
  std::strftime(date, sizeof date, "%Y%m%d-%H%M%S", &local);
  fs::create_directories("runs");
  for (int n = 1;; ++n) {
    fs::path path = fs::path("runs") / fmt::format("{}-{}-{}", app, date, n);
    if (fs::create_directory(path)) return path;
  }
}

void clear(const fs::path& path) {
  if (!fs::exists(path / "environment.json"))
    throw UsageError(fmt::format(
        "--overwrite: {} is not empty and not a run directory (it has no environment.json)",
        path.string()));
  for (const auto& entry : fs::directory_iterator(path))
    if (entry.is_regular_file() && belongs_to_run(entry.path())) fs::remove(entry.path());
}

fs::path make_named(const RunDirectoryOptions& options) {
  const fs::path path = options.run_dir;
  if (fs::exists(path) && !fs::is_directory(path))
    throw UsageError(fmt::format("--run-dir: {} is not a folder", path.string()));
  fs::create_directories(path);
  if (fs::is_empty(path)) return path;
  if (!options.overwrite)
    throw UsageError(fmt::format(
        "--run-dir: {} is not empty; choose another folder or add --overwrite", path.string()));
  clear(path);
  return path;
}

}  // namespace

void declare(Config& config, RunDirectoryOptions& options) {
  config
      .add("run-dir", &options.run_dir,
           "folder for everything that the run writes; runs/<app>-<date>-<time>-<n> if not given")
      .flag_only();
  config.add("overwrite", &options.overwrite, "replace a former run in --run-dir").flag_only();
}

RunDirectory::RunDirectory(const RunDirectoryOptions& options, const Invocation& invocation) {
  try {
    path_ = options.run_dir.empty() ? make_new(invocation.program) : make_named(options);
  } catch (const fs::filesystem_error& error) {
    throw Error(
        fmt::format("[run_directory] {}: {}", error.path1().string(), error.code().message()));
  }
  environment_ = describe_environment(invocation.arguments);
  write_file(file("environment.json"), json_text(environment_));
  write_file(file("config.json"), json_text(invocation.config.dump()));
  metrics_ = std::make_unique<MetricsWriter>(file("metrics.jsonl"));
  log_.open(file("log.txt"), std::ios::app);
  check(log_.good(), "[run_directory] cannot write", file("log.txt").string());
}

void RunDirectory::log(std::string_view line) {
  log_ << timestamp() << "  " << line << '\n' << std::flush;
  check(log_.good(), "[run_directory] cannot write", file("log.txt").string());
}

}  // namespace ditto::apps
