// load() and locate(): the table of data sets, where each may lie, and what to do when none does.
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <set>

#include "data/cifar.h"
#include "data/dataset.h"
#include "data/fashion_mnist.h"
#include "data/image_folder.h"

namespace ditto::data {
namespace {

namespace fs = std::filesystem;

struct Entry {
  const char* name;
  ImageDataset (*load)(const fs::path& folder, Split split, bool strict);
  std::vector<const char*> folders;  // below a root, after the root itself
  const char* system_folder;         // where Debian's package puts it, or null
  std::vector<const char*> marks;    // a folder has the data when it has one of these files
  // FashionMNIST and MNIST have the same file names: in a folder that several data sets share, only
  // the sub-folder tells them apart.
  bool own_file_names;
};

const std::vector<Entry>& entries() {
  static const std::vector<const char*> idx_marks = {
      "train-images-idx3-ubyte",    "train-images-idx3-ubyte.gz", "train-images.idx3-ubyte",
      "train-images.idx3-ubyte.gz", "t10k-images-idx3-ubyte",     "t10k-images-idx3-ubyte.gz",
      "t10k-images.idx3-ubyte",     "t10k-images.idx3-ubyte.gz"};
  static const std::vector<Entry> table = {
      {"fashion-mnist",
       load_fashion_mnist,
       {"fashion-mnist", "FashionMNIST/raw"},
       "/usr/share/datasets/fashion-mnist",
       idx_marks,
       false},
      {"mnist", load_mnist, {"mnist", "MNIST/raw"}, nullptr, idx_marks, false},
      {"cifar-10",
       load_cifar10,
       {"cifar-10-batches-bin"},
       nullptr,
       {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
        "data_batch_5.bin", "test_batch.bin"},
       true},
      {"cifar-100",
       load_cifar100,
       {"cifar-100-binary", "cifar-100-mini"},
       nullptr,
       {"train.bin", "test.bin"},
       true}};
  return table;
}

// Any folder of images: only an explicit root leads to it.
constexpr const char* kFolder = "folder";

const Entry& entry(const std::string& name) {
  std::string known;
  for (const Entry& e : entries()) {
    if (name == e.name) return e;
    known += std::string(e.name) + ", ";
  }
  fail("[data] unknown data set '" + printable(name) + "'; known are " + known + kFolder);
}

bool has_data(const Entry& e, const fs::path& folder) {
  std::error_code ignored;
  for (const char* mark : e.marks)
    if (fs::is_regular_file(folder / mark, ignored)) return true;
  return false;
}

// Every folder that is looked at, in order.
std::vector<fs::path> candidates(const Entry& e, fs::path root) {
  std::vector<fs::path> out;
  const bool explicit_root = !root.empty();
  if (!explicit_root)
    if (const char* environment = std::getenv("DITTO_DATA")) root = environment;
  if (!root.empty()) {
    if (explicit_root || e.own_file_names) out.push_back(root);
    for (const char* folder : e.folders) out.push_back(root / folder);
  }
  // An explicit root that lacks the data is an error, not a reason to train on something else.
  if (!explicit_root && e.system_folder) out.emplace_back(e.system_folder);
  return out;
}

}  // namespace

std::vector<std::string> dataset_names() {
  std::vector<std::string> names;
  for (const Entry& e : entries()) names.emplace_back(e.name);
  names.emplace_back(kFolder);
  return names;
}

std::optional<fs::path> locate(const std::string& name, const fs::path& root) {
  std::error_code ignored;
  if (name == kFolder) return fs::is_directory(root, ignored) ? std::optional(root) : std::nullopt;
  const Entry& e = entry(name);
  for (const fs::path& folder : candidates(e, root))
    if (has_data(e, folder)) return folder;
  return std::nullopt;
}

namespace {

ImageDataset load_folder(Split split, const LoadOptions& options) {
  check(!options.root.empty(), "[data] the data set 'folder' needs --data-root FOLDER");
  check(!options.strict, "[data] a folder of images has no official files to compare with");
  ImageFolderOptions folder{.on_bad_image = options.on_bad_image, .cache = options.cache};
  if (options.image_size > 0) folder.image_size = options.image_size;
  if (!options.statistics.mean.empty()) folder.statistics = options.statistics;
  return load_image_folder(options.root, split, folder);
}

ImageDataset load_known(const std::string& name, Split split, const LoadOptions& options) {
  const std::optional<fs::path> folder = locate(name, options.root);
  if (!folder) {
    std::string looked;
    for (const fs::path& path : candidates(entry(name), options.root))
      looked += "\n    " + path.string();
    if (looked.empty()) looked = "\n    (nowhere: no root was given and DITTO_DATA is not set)";
    fail("[data] no data found for " + name + "; looked in" + looked +
         "\n  Three ways to get data:\n"
         "    1. apt-get install dataset-fashion-mnist (FashionMNIST, found by itself)\n"
         "    2. --data-root FOLDER, or the environment variable DITTO_DATA=FOLDER, where FOLDER "
         "is or holds an official\n       CIFAR-10 binary folder (cifar-10-batches-bin)\n"
         "    3. download https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz, unpack it, and "
         "continue as in 2\n ");
  }
  ImageDataset dataset = entry(name).load(*folder, split, options.strict);
  if (!options.statistics.mean.empty()) dataset.set_statistics(options.statistics);
  if (options.image_size > 0) return dataset.resized(options.image_size, options.image_size);
  return dataset;
}

}  // namespace

ImageDataset load(const std::string& name, Split split, const LoadOptions& options) {
  const ImageDataset dataset =
      name == kFolder ? load_folder(split, options) : load_known(name, split, options);
  static std::mutex mutex;
  static std::set<std::string> printed;
  std::lock_guard lock(mutex);
  for (const std::string& warning : dataset.warnings())
    if (printed.insert(warning).second) std::cerr << "warning: " << warning << '\n';
  return dataset;
}

}  // namespace ditto::data
