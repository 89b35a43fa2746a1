// ImageDataset: labelled images of one size, held in memory as u8, and the names the command line
// knows them by.
//
// Copies are cheap handles on the same pixels. Nothing here changes the pixels after loading, so
// any number of threads may read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "data/image_info.h"

namespace ditto::data {

enum class Split { Train, Test };
std::string to_string(Split split);  // "train", "test"

// One image: `pixels` are (height, width, channels) u8, owned by the data set.
struct ImageSample {
  std::span<const uint8_t> pixels;
  int64_t height = 0, width = 0, channels = 0;
  int64_t label = 0;
};

// Published mean and standard deviation per channel, of pixels scaled to [0, 1].
struct ChannelStatistics {
  std::vector<float> mean, std;
};

class ImageDataset {
 public:
  ImageDataset() = default;
  // images (N, H, W, C) u8, 1 to 4 channels; labels (N) i64 in [0, class_names.size()). Throws
  // "[dataset] ..." on any other shape, dtype or label.
  ImageDataset(std::string name, Tensor images, Tensor labels, std::vector<std::string> class_names,
               ChannelStatistics statistics);

  const std::string& name() const { return name_; }
  int64_t size() const { return images_.defined() ? images_.dim(0) : 0; }
  int64_t height() const { return images_.dim(1); }
  int64_t width() const { return images_.dim(2); }
  int64_t channels() const { return images_.dim(3); }
  int64_t classes() const { return static_cast<int64_t>(class_names_.size()); }
  const Tensor& images() const { return images_; }
  const Tensor& labels() const { return labels_; }
  const std::vector<std::string>& class_names() const { return class_names_; }
  const ChannelStatistics& statistics() const { return statistics_; }
  int64_t label(int64_t index) const;
  ImageSample get(int64_t index) const;

  // What the augmentations need to know. The fill colour (for what crops, rotations and cutout
  // leave empty) is the mean, unless set_fill says otherwise.
  ImageInfo info() const;
  void set_fill(const kernels::ChannelValues& fill) { fill_ = fill; }

  // The images with these indices, in this order.
  ImageDataset select(std::span<const int64_t> indices) const;
  // The first n.
  ImageDataset subset(int64_t n) const;
  // n images, equally many of each class (the first n % classes() classes give one more), chosen by
  // `seed`, in their original order. Throws when a class has too few.
  ImageDataset take(int64_t n, uint64_t seed) const;

  // What is unusual about the files (counts that are not the official ones).
  const std::vector<std::string>& warnings() const { return warnings_; }
  void add_warning(std::string warning) { warnings_.push_back(std::move(warning)); }

 private:
  std::string name_;
  Tensor images_, labels_;
  std::vector<std::string> class_names_;
  ChannelStatistics statistics_;
  std::optional<kernels::ChannelValues> fill_;
  std::vector<std::string> warnings_;
};

struct LoadOptions {
  // The only place to look: the data set's folder or its parent. Empty: the folder that the
  // environment variable DITTO_DATA names and its sub-folders (FashionMNIST and MNIST: only the
  // sub-folders, because their file names are the same), then where Debian's packages put data.
  std::filesystem::path root;
  // Demand the official number of images and the SHA-256 of the official files. Otherwise other
  // counts are accepted with a warning.
  bool strict = false;
};

// "fashion-mnist", "mnist", "cifar-10", "cifar-100".
std::vector<std::string> dataset_names();
// Loads a data set by name; warnings also go to stderr, each once per process. Throws on an unknown
// name (the message lists the names), on damaged files (path and byte offset), and when nothing is
// found: then the message says where it looked and the ways to get data.
ImageDataset load(const std::string& name, Split split, const LoadOptions& options = {});
// The folder that load() would read, or nothing.
std::optional<std::filesystem::path> locate(const std::string& name,
                                            const std::filesystem::path& root = {});

}  // namespace ditto::data
