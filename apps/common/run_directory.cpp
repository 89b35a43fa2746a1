#include "apps/common/run_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "apps/common/checkpoint.h"
#include "apps/common/environment.h"
#include "apps/common/files.h"
#include "core/file.h"

namespace ditto::apps {
namespace {

namespace fs = std::filesystem;

// Is this one of the files that a run directory's header lists?
bool belongs_to_run(const fs::path& path) {
  const std::string name = path.filename().string(), extension = path.extension().string();
  return name == "config.json" || name == "environment.json" || name == "metrics.jsonl" ||
         name == "log.txt" || name == "report.html" || name == "sweep.csv" ||
         name == "bad_images.txt" || name.ends_with("-profile.csv") || extension == ".svg" ||
         extension == ".safetensors";
}

// The step of "step_N", also with a suffix (".tmp", ".damaged", ...)?
bool belongs_to_checkpoints(const fs::path& path) {
  const std::string name = path.filename().string();
  return name == "LATEST" || checkpoint_step(name.substr(0, name.find('.'))) ||
         is_temporary_file(path);
}

// runs/<app>-<date>-<time>-<n> with the first n that is free. Making the folder is what claims it,
// so two runs started in the same second do not share one.
fs::path make_new(const std::string& app) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char date[32];
  std::strftime(date, sizeof date, "%Y%m%d-%H%M%S", &local);
  make_folder("runs");
  for (int n = 1;; ++n) {
    fs::path path = fs::path("runs") / fmt::format("{}-{}-{}", app, date, n);
    if (!fs::create_directory(path)) continue;
    sync_path("runs");
    return path;
  }
}

// The folder and all above it that are missing; a checkpoint is no use under a name that a power
// cut takes away.
void make_folders(const fs::path& path) {
  std::error_code error;
  if (path.empty() || fs::is_directory(path, error)) return;
  make_folders(path.has_filename() ? path.parent_path() : path.parent_path().parent_path());
  make_folder(path);
}

void clear(const fs::path& path) {
  const fs::path checkpoints = path / "checkpoints";
  if (fs::is_directory(checkpoints)) {
    for (const auto& entry : fs::directory_iterator(checkpoints))
      if (belongs_to_checkpoints(entry.path())) fs::remove_all(entry.path());
    if (fs::is_empty(checkpoints)) fs::remove(checkpoints);
  }
  for (const auto& entry : fs::directory_iterator(path))
    if (entry.is_regular_file() &&
        (belongs_to_run(entry.path()) || is_temporary_file(entry.path())))
      fs::remove(entry.path());
}

// A run that was killed before its first checkpoint, and nothing else?
bool has_nothing_to_lose(const fs::path& path) {
  for (const auto& entry : fs::directory_iterator(path)) {
    const bool empty_folder = entry.is_directory() && entry.path().filename() == "checkpoints" &&
                              fs::is_empty(entry.path());
    const bool file =
        entry.is_regular_file() &&
        (is_temporary_file(entry.path()) ||
         (belongs_to_run(entry.path()) && entry.path().extension() != ".safetensors"));
    if (!empty_folder && !file) return false;
  }
  return true;
}

fs::path make_named(const RunDirectoryOptions& options) {
  const fs::path path = options.run_dir;
  if (fs::exists(path) && !fs::is_directory(path))
    throw UsageError(fmt::format("--run-dir: {} is not a folder", path.string()));
  make_folders(path);
  if (fs::is_empty(path)) return path;
  const bool restart = options.resume == "auto" && has_nothing_to_lose(path);
  if (!options.overwrite && !restart)
    throw UsageError(fmt::format(
        "--run-dir: {} is not empty; choose another folder or add --overwrite{}", path.string(),
        fs::is_directory(path / "checkpoints") ? " or --resume auto" : ""));
  if (!restart && !fs::exists(path / "environment.json"))
    throw UsageError(fmt::format(
        "--overwrite: {} is not empty and not a run directory (it has no environment.json)",
        path.string()));
  const FolderLock lock(path);  // not while another process works there
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
  config
      .add("resume", &options.resume,
           "auto: go on with the run in --run-dir if it has a checkpoint, else start it; or a run "
           "directory or checkpoint folder to go on with")
      .flag_only();
}

RunDirectory::RunDirectory(const RunDirectoryOptions& options, const Invocation& invocation) {
  try {
    path_ = options.run_dir.empty() ? make_new(invocation.program) : make_named(options);
  } catch (const fs::filesystem_error& error) {
    throw Error(
        fmt::format("[run_directory] {}: {}", error.path1().string(), error.code().message()));
  }
  lock_ = FolderLock(path_);
  open(invocation, Json::array());
}

RunDirectory::RunDirectory(RunPosition position, const Invocation& invocation)
    : path_(std::move(position.folder)), lock_(std::move(position.lock)) {
  if (!lock_.held()) lock_ = FolderLock(path_);
  std::error_code error;
  for (fs::directory_iterator it(path_, error), end; !error && it != end; it.increment(error))
    if (it->is_regular_file(error) && is_temporary_file(it->path())) fs::remove(it->path(), error);
  write_file(file("metrics.jsonl"), position.metrics);
  if (const auto size = fs::file_size(file("log.txt"), error);
      !error && size > static_cast<uintmax_t>(position.log_bytes))
    fs::resize_file(file("log.txt"), static_cast<uintmax_t>(position.log_bytes), error);
  Json starts = Json::array();
  try {
    const Json former = read_json(file("environment.json"));
    starts = former.value("earlier_starts", starts);
    starts.push_back(former.value("started", Json("unknown")));
  } catch (const std::exception&) {  // a record of the past is no reason not to go on
  }
  open(invocation, std::move(starts));
}

RunDirectory::~RunDirectory() {
  if (log_ >= 0) ::close(log_);
}

void RunDirectory::open(const Invocation& invocation, Json starts) {
  environment_ = describe_environment(invocation.arguments);
  if (!starts.empty()) environment_["earlier_starts"] = std::move(starts);
  write_file(file("environment.json"), json_text(environment_));
  write_file(file("config.json"), json_text(invocation.config.dump()));
  metrics_ = std::make_unique<MetricsWriter>(file("metrics.jsonl"));
  log_ = ::open(file("log.txt").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (log_ < 0) fail_errno("run_directory", file("log.txt"), errno);
}

void RunDirectory::log(std::string_view line) {
  if (const int error = write_fully(log_, fmt::format("{}  {}\n", timestamp(), line)))
    fail_errno("run_directory", file("log.txt"), error);
}

std::string RunDirectory::metrics_so_far() const { return read_file(file("metrics.jsonl")); }

int64_t RunDirectory::log_bytes() const {
  struct stat info {};
  return ::fstat(log_, &info) == 0 ? info.st_size : 0;
}

FolderLock::FolderLock(const fs::path& folder) {
  descriptor_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor_ < 0) fail_errno("run_directory", folder, errno);
  // File systems without locks (some network ones) say so with another code: no lock, no error.
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(std::exchange(descriptor_, -1));
    throw Error(fmt::format("[run_directory] {}: another process is working in this folder",
                            folder.string()));
  }
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace ditto::apps
