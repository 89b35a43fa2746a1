#include "data/image_folder.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "data/image_files.h"

namespace ditto::data {
namespace {

namespace fs = std::filesystem;

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

bool is_hidden(const fs::path& path) { return path.filename().native().starts_with('.'); }

bool has_image_name(const fs::path& path) {
  std::string extension = path.extension().native();
  for (char& c : extension)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

// Whether a symbolic link ends at a regular file below `root`, both as canonical paths compare.
bool leads_inside(const fs::path& link, const fs::path& root) {
  std::error_code error;
  const fs::path target = fs::canonical(link, error);
  if (error || !fs::is_regular_file(target, error)) return false;
  const fs::path relative = target.lexically_relative(root);
  return !relative.empty() && *relative.begin() != "..";
}

// Counts what was ignored, by kind, with the first of each.
class Ignored {
 public:
  void add(const std::string& kind, const fs::path& path) {
    const auto [entry, is_new] = seen_.try_emplace(kind, 0, printable(path.string()));
    ++entry->second.first;
  }
  void report(const fs::path& folder, std::vector<std::string>& warnings) const {
    for (const auto& [kind, entry] : seen_)
      warnings.push_back(printable(folder.string()) + ": ignored " + std::to_string(entry.first) +
                         " " + kind + ", the first is " + entry.second);
  }

 private:
  std::map<std::string, std::pair<int64_t, std::string>> seen_;
};

[[noreturn]] void fail_folder(const fs::path& folder, const std::string& reason) {
  fail("[image_folder] cannot read the folder", printable(folder.string()) + ":", reason);
}

// Appends the images below `folder`; `root` is the canonical folder that links must not leave.
void collect(const fs::path& folder, const fs::path& root, std::vector<fs::path>& files,
             Ignored& ignored) {
  std::error_code error;
  // Links to folders are not followed, so there are no loops.
  fs::recursive_directory_iterator walk(folder, error);
  if (error) fail_folder(folder, error.message());
  for (; walk != fs::recursive_directory_iterator(); walk.increment(error)) {
    const fs::directory_entry& entry = *walk;
    const fs::path& path = entry.path();
    std::error_code status_error;
    const bool folder_itself =
        entry.symlink_status(status_error).type() == fs::file_type::directory;
    if (is_hidden(path)) {
      if (folder_itself) walk.disable_recursion_pending();
    } else if (entry.is_symlink(status_error)) {
      if (has_image_name(path) && leads_inside(path, root))
        files.push_back(path);
      else
        ignored.add("symbolic links to folders, out of the data set or to nowhere", path);
    } else if (!folder_itself) {
      if (!has_image_name(path))
        ignored.add("files that are not .jpg, .jpeg or .png", path);
      else if (entry.is_regular_file(status_error))
        files.push_back(path);
      else
        ignored.add("names of images that are no regular files", path);
    }
  }
  if (error) fail_folder(folder, error.message());
  std::ranges::sort(files, {}, [](const fs::path& path) {
    return std::make_tuple(path.parent_path().native(), path.filename().native());
  });
}

fs::path canonical_root(const fs::path& root) {
  std::error_code error;
  fs::path path = fs::canonical(root, error);
  if (error) fail_folder(root, error.message());
  if (!is_folder(path)) fail_folder(root, "not a folder");
  return path;
}

// The folders in `folder`, sorted; links to folders are none.
std::vector<std::string> class_folders(const fs::path& folder, Ignored& ignored) {
  std::error_code error;
  fs::directory_iterator walk(folder, error);
  if (error) fail_folder(folder, error.message());
  std::vector<std::string> names;
  for (; walk != fs::directory_iterator(); walk.increment(error)) {
    std::error_code status_error;
    if (is_hidden(walk->path())) continue;
    if (walk->is_symlink(status_error))
      ignored.add("symbolic links where folders of classes are expected", walk->path());
    else if (walk->is_directory(status_error))
      names.push_back(walk->path().filename().native());
    else
      ignored.add("files outside the folders of classes", walk->path());
  }
  if (error) fail_folder(folder, error.message());
  std::ranges::sort(names);
  return names;
}

// Names for people and for JSON: valid UTF-8 without control characters stays as it is.
std::string display_name(const std::string& name) {
  for (size_t i = 0; i < name.size(); ++i) {
    const auto byte = static_cast<unsigned char>(name[i]);
    const size_t more = byte < 0x80 ? 0 : byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
    bool valid = byte >= 0x20 && byte != 0x7f && (byte < 0x80 || byte >= 0xc2) && byte <= 0xf4 &&
                 i + more < name.size();
    for (size_t k = 1; valid && k <= more; ++k)
      valid = (static_cast<unsigned char>(name[i + k]) & 0xc0) == 0x80;
    // Longer forms than needed, surrogates and what lies beyond Unicode.
    if (valid && more >= 2) {
      const auto second = static_cast<unsigned char>(name[i + 1]);
      valid = !(byte == 0xe0 && second < 0xa0) && !(byte == 0xed && second >= 0xa0) &&
              !(byte == 0xf0 && second < 0x90) && !(byte == 0xf4 && second >= 0x90);
    }
    if (!valid) return printable(name);
    i += more;
  }
  return name;
}

struct Layout {
  fs::path train, test;
  bool has_split = false;
};

Layout find_layout(const fs::path& root) {
  Layout layout{root, root};
  if (!is_folder(root / "train")) return layout;
  layout = {root / "train", {}, true};
  for (const char* name : {"val", "valid", "test"})
    if (layout.test.empty() && is_folder(root / name)) layout.test = root / name;
  return layout;
}

}  // namespace

std::vector<fs::path> list_images(const fs::path& folder, std::vector<std::string>* warnings) {
  std::vector<fs::path> files;
  Ignored ignored;
  collect(folder, canonical_root(folder), files, ignored);
  if (warnings) ignored.report(folder, *warnings);
  return files;
}

ImageDataset load_image_folder(const fs::path& root, Split split,
                               const ImageFolderOptions& options) {
  check(!root.empty(), "[image_folder] needs a folder");
  check(options.holdout >= 2, "[image_folder] holdout must be at least 2, got", options.holdout);
  check(options.image_size >= 1 && options.image_size <= 16384,
        "[image_folder] image_size must be in [1, 16384], got", options.image_size);
  check(options.statistics.mean.size() == 3, "[image_folder] RGB images have 3 channels, got",
        options.statistics.mean.size(), "means");
  const fs::path canonical = canonical_root(root);
  const Layout layout = find_layout(root);
  const fs::path& folder = split == Split::Train ? layout.train : layout.test;
  check(!folder.empty(), "[image_folder] there is train but neither val, valid nor test in",
        printable(root.string()));
  Ignored ignored;
  const std::vector<std::string> names = class_folders(layout.train, ignored);
  check(!names.empty(), "[image_folder] no folders of classes in",
        printable(layout.train.string()));
  if (layout.has_split && split == Split::Test)
    for (const std::string& name : class_folders(folder, ignored))
      check(std::ranges::binary_search(names, name), "[image_folder] class",
            printable((folder / name).string()), "has no counterpart in",
            printable(layout.train.string()));

  std::vector<fs::path> files;
  std::vector<int64_t> labels;
  std::vector<std::string> display, warnings;
  for (const std::string& name : names) {
    const auto label = static_cast<int64_t>(display.size());
    display.push_back(display_name(name));
    std::vector<fs::path> own;
    if (is_folder(folder / name))
      collect(folder / name, canonical, own, ignored);
    else
      warnings.push_back(printable((folder / name).string()) + ": the class is missing");
    check(!own.empty() || !is_folder(folder / name),
          "[image_folder] class without images:", printable((folder / name).string()));
    for (size_t i = 0; i < own.size(); ++i) {
      const auto period = static_cast<size_t>(options.holdout);
      const bool held_out = i % period == period - 1;
      if (!layout.has_split && held_out != (split == Split::Test)) continue;
      files.push_back(own[i]);
      labels.push_back(label);
    }
  }
  check(!files.empty(), "[image_folder] no images for the", to_string(split), "set in",
        printable(root.string()));
  ignored.report(folder, warnings);
  if (!layout.has_split)
    warnings.push_back(printable(root.string()) + " has no folders train and val: one of " +
                       std::to_string(options.holdout) + " images of each class is for testing");
  const auto count = static_cast<int64_t>(files.size());
  ImageDataset dataset(
      "folder",
      std::make_shared<ImageFiles>(std::move(files), root, options.on_bad_image, options.cache),
      Tensor::from(labels, {count}), std::move(display), options.statistics, options.image_size,
      options.image_size);
  for (std::string& warning : warnings) dataset.add_warning(std::move(warning));
  return dataset;
}

}  // namespace ditto::data
