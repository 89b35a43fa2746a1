#include "apps/common/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "apps/common/build_info.h"
#include "apps/common/files.h"
#include "core/file.h"
#include "core/sha256.h"

namespace ditto::apps {
namespace {

namespace fs = std::filesystem;

constexpr int kFormatVersion = 1;
constexpr const char* kModel = "model.safetensors";
constexpr const char* kOptimizer = "optimizer.safetensors";
constexpr const char* kTrainer = "trainer.json";
constexpr const char* kMetrics = "metrics.jsonl";
constexpr const char* kManifest = "manifest.json";
constexpr const char* kLatest = "LATEST";
constexpr const char* kFiles[] = {kModel, kOptimizer, kTrainer, kMetrics};

std::string folder_name(int64_t step) { return fmt::format("step_{:08d}", step); }

[[noreturn]] void damaged(const fs::path& folder, const std::string& why) {
  throw Error(fmt::format("[checkpoint] {}: {}", folder.string(), why));
}

std::string hash_of_file(const fs::path& path) {
  const InputFile file(path);
  std::vector<uint8_t> buffer(size_t{1} << 18);
  Sha256 hash;
  for (int64_t at = 0; at < file.size();) {
    const int64_t count = std::min<int64_t>(file.size() - at, static_cast<int64_t>(buffer.size()));
    file.read(at, buffer.data(), count);
    hash.update(std::span(buffer).first(static_cast<size_t>(count)));
    at += count;
  }
  return hash.digest();
}

// The manifest's own digest covers the text of all its other entries.
std::string manifest_text(Json manifest) {
  manifest.erase("sha256");
  manifest["sha256"] = sha256(json_text(manifest));
  return json_text(manifest);
}

void write_manifest(const fs::path& folder, int64_t step) {
  Json manifest = {{"format", "ditto checkpoint"},
                   {"version", kFormatVersion},
                   {"program", version_text()},
                   {"step", step},
                   {"files", Json::object()}};
  for (const char* name : kFiles)
    manifest["files"][name] = {{"bytes", InputFile(folder / name).size()},
                               {"sha256", hash_of_file(folder / name)}};
  write_file(folder / kManifest, manifest_text(std::move(manifest)));
}

// Throws unless the folder holds exactly what its manifest says.
void verify(const fs::path& folder) {
  const std::optional<int64_t> step = checkpoint_step(folder);
  if (!step) damaged(folder, "the name of a checkpoint is step_ and its number");
  if (!fs::is_directory(folder)) damaged(folder, "not a folder");
  const std::string text = read_file(folder / kManifest, int64_t{1} << 20);
  const Json manifest = parse_json(text, kManifest);
  const auto has = [](const Json& object, const char* key, auto is_type) {
    return object.is_object() && object.contains(key) && is_type(object[key]);
  };
  const auto is_number = [](const Json& v) { return v.is_number_integer(); };
  const auto is_text = [](const Json& v) { return v.is_string(); };
  if (!has(manifest, "version", is_number))
    damaged(folder, fmt::format("{} has no version", kManifest));
  if (manifest["version"] != kFormatVersion) {
    const std::string why =
        fmt::format("{}: version {} of the format; this program reads version {}", kManifest,
                    json_line(manifest["version"]), kFormatVersion);
    if (text != manifest_text(manifest)) damaged(folder, why);
    throw OtherVersion(fmt::format("[checkpoint] {}: {}", printable(folder.string()), why));
  }
  if (text != manifest_text(manifest))
    damaged(folder, fmt::format("{} does not match its own SHA-256", kManifest));
  if (!has(manifest, "step", is_number) || manifest["step"] != *step)
    damaged(folder, fmt::format("{} is of another step", kManifest));
  for (const char* name : kFiles) {
    const auto entry = [&]() -> Json {
      if (!manifest.contains("files") || !manifest["files"].is_object()) return {};
      return manifest["files"].value(name, Json());
    }();
    if (!has(entry, "bytes", is_number) || !has(entry, "sha256", is_text))
      damaged(folder, fmt::format("{} does not list {}", kManifest, name));
    const int64_t bytes = InputFile(folder / name).size();
    if (bytes != entry["bytes"].get<int64_t>())
      damaged(folder,
              fmt::format("{} has {} bytes, not {}", name, bytes, entry["bytes"].get<int64_t>()));
    if (hash_of_file(folder / name) != entry["sha256"].get<std::string>())
      damaged(folder, fmt::format("{} does not match its SHA-256", name));
  }
}

// An error of this folder, with the folder's name in front if it is not there yet.
std::string with_folder(const fs::path& folder, const std::string& what) {
  if (what.find(folder.string()) != std::string::npos) return what;
  return fmt::format("[checkpoint] {}: {}", folder.string(), what);
}

}  // namespace

std::optional<int64_t> checkpoint_step(const fs::path& folder) {
  const std::string name = folder.filename().string();
  constexpr std::string_view kPrefix = "step_";
  int64_t step = 0;
  if (name.rfind(kPrefix, 0) != 0) return {};
  const char *begin = name.data() + kPrefix.size(), *end = name.data() + name.size();
  const auto [stop, code] = std::from_chars(begin, end, step);
  if (code != std::errc() || stop != end || step < 0 || folder_name(step) != name) return {};
  return step;
}

Checkpoint load_checkpoint(const fs::path& folder) {
  try {
    verify(folder);
    Checkpoint out;
    out.step = *checkpoint_step(folder);
    SafetensorsFile model = load_safetensors(folder / kModel);
    out.model = std::move(model.tensors);
    out.model_metadata = std::move(model.metadata);
    out.optimizer = load_safetensors(folder / kOptimizer).tensors;
    out.trainer = read_json(folder / kTrainer);
    out.metrics = read_file(folder / kMetrics);
    return out;
  } catch (const NotNow&) {
    throw;
  } catch (const FileError& error) {
    if (!error.tells_of_damage()) throw NotNow(with_folder(folder, error.what()));
    throw Error(with_folder(folder, error.what()));
  } catch (const Error& error) {
    throw Error(with_folder(folder, error.what()));
  } catch (const fs::filesystem_error& error) {
    throw NotNow(with_folder(folder, error.code().message()));
  }
}

CheckpointStore::CheckpointStore(fs::path folder, int keep_last)
    : folder_(std::move(folder)), keep_last_(keep_last) {
  check(keep_last >= 1, "[checkpoint] at least one checkpoint must be kept, not", keep_last);
  std::error_code error;
  std::vector<fs::path> left;
  for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error))
    if (checkpoint_step(it->path().stem()) && it->path().extension() == ".tmp")
      left.push_back(it->path());
    else if (it->is_regular_file(error) && is_temporary_file(it->path()))
      left.push_back(it->path());
  for (const fs::path& path : left)
    fs::is_directory(path) ? remove_folder(path) : void(fs::remove(path, error));
}

fs::path CheckpointStore::folder_of(int64_t step) const { return folder_ / folder_name(step); }

std::vector<int64_t> CheckpointStore::steps() const {
  std::vector<int64_t> steps;
  std::error_code error;
  for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error))
    if (const auto step = checkpoint_step(it->path())) steps.push_back(*step);
  if (error && error != std::errc::no_such_file_or_directory)
    throw NotNow(fmt::format("[checkpoint] cannot list {}: {}", printable(folder_.string()),
                             error.message()));
  std::sort(steps.begin(), steps.end());
  return steps;
}

// Removal begins with a rename, so that a kill in its midst leaves no half checkpoint.
void CheckpointStore::set_aside(int64_t step, const char* suffix) {
  fs::path to = folder_of(step);
  to += suffix;
  remove_folder(to);
  rename_durably(folder_of(step), to);
}

void CheckpointStore::go_on_from(int64_t step) {
  for (const int64_t other : steps())
    if (other > step) set_aside(other, ".superseded");
  name_latest(step);
  remove_oldest();
}

void CheckpointStore::name_latest(int64_t step) {
  const std::string latest = folder_name(step) + "\n";
  std::error_code error;
  const bool right = fs::is_regular_file(folder_ / kLatest, error) &&
                     fs::file_size(folder_ / kLatest, error) == latest.size() &&
                     read_file(folder_ / kLatest) == latest;
  if (!right) write_file(folder_ / kLatest, latest);
}

void CheckpointStore::remove_oldest() {
  const std::vector<int64_t> all = steps();
  for (size_t i = 0; i + static_cast<size_t>(keep_last_) < all.size(); ++i) {
    set_aside(all[i], ".tmp");
    fs::path old = folder_of(all[i]);
    old += ".tmp";
    remove_folder(old);
  }
}

fs::path CheckpointStore::save(const Checkpoint& checkpoint) {
  const fs::path target = folder_of(checkpoint.step);
  fs::path building = target;
  building += ".tmp";
  try {
    make_folder(folder_);
    remove_folder(building);
    make_folder(building);
    save_safetensors(building / kModel, checkpoint.model, checkpoint.model_metadata);
    save_safetensors(building / kOptimizer, checkpoint.optimizer);
    write_file(building / kTrainer, json_text(checkpoint.trainer));
    write_file(building / kMetrics, checkpoint.metrics);
    write_manifest(building, checkpoint.step);  // syncs the folder, too
    if (fs::exists(target)) set_aside(checkpoint.step, ".superseded");
    rename_durably(building, target);
  } catch (const Error&) {
    try {
      remove_folder(building);
    } catch (const Error&) {  // the first error is the one to tell; the next start cleans up
    }
    throw;
  }
  verify(target);
  name_latest(checkpoint.step);
  remove_oldest();
  return target;
}

std::optional<Checkpoint> CheckpointStore::load_newest(
    const std::function<void(const std::string&)>& warn) {
  std::vector<int64_t> all = steps();
  if (fs::exists(folder_ / kLatest)) {
    // LATEST tells of a newest checkpoint that is gone altogether, which a list of folders cannot.
    std::string name;
    try {
      name = read_file(folder_ / kLatest, 1 << 12);
    } catch (const Error& error) {
      warn(error.what());
    }
    const bool ended = !name.empty() && name.back() == '\n';
    if (ended) name.pop_back();
    const auto step = checkpoint_step(name);
    if (!ended || !step || name.find('/') != std::string::npos)
      warn(fmt::format("{} is damaged; looking at all checkpoints",
                       printable((folder_ / kLatest).string())));
    else if (all.empty() || *step > all.back())
      warn(fmt::format("checkpoint {} is missing, though LATEST names it", folder_name(*step)));
  } else if (!all.empty()) {
    warn(fmt::format("{} is missing; looking at all checkpoints",
                     printable((folder_ / kLatest).string())));
  }
  if (all.empty()) {
    std::error_code error;
    check(!fs::exists(folder_) || fs::is_empty(folder_, error),
          "[checkpoint] no checkpoint is left, though the folder is not empty:",
          printable(folder_.string()));
    return {};
  }
  while (!all.empty()) {
    const int64_t step = all.back();
    all.pop_back();
    std::optional<Checkpoint> found;
    try {
      found = load_checkpoint(folder_of(step));
    } catch (const NotNow&) {
      throw;
    } catch (const Error& error) {
      warn(fmt::format("a damaged checkpoint is left out: {}{}", error.what(),
                       all.empty() ? "" : "; trying " + folder_name(all.back())));
    }
    if (found) {
      name_latest(step);  // a kill may have come between the folder's rename and this
      return found;
    }
    try {
      set_aside(step, ".damaged");
    } catch (const Error&) {  // a folder that cannot be written is still one that can be read
    }
  }
  fail("[checkpoint] every checkpoint is damaged (now called step_*.damaged) in",
       printable(folder_.string()));
}

}  // namespace ditto::apps
