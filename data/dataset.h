// ImageDataset: labelled images, held in memory as u8 of one size or read when they are needed, and
// the names the command line knows them by.
//
// Copies are cheap handles on the same pixels. Nothing here changes the pixels after loading, so
// any number of threads may read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "data/image_cache.h"
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
// Those of ImageNet, RGB.
ChannelStatistics imagenet_statistics();

// What happens when an image cannot be read: an error that ends the run, the image is left out, or
// it is black.
enum class OnBadImage { Error, Skip, Zero };
OnBadImage on_bad_image(const std::string& name);  // "error", "skip", "zero"

// Where the pixels of a data set come from that is not held in memory (data/image_folder.h).
class ImageReader {
 public:
  virtual ~ImageReader() = default;
  // (H, W, C) u8 of any size; undefined when the image is to be left out. Any number of threads may
  // call it.
  virtual Tensor read(int64_t index) const = 0;
  // Path and reason of each image that could not be read so far, in a fixed order.
  virtual std::vector<std::string> bad_images() const { return {}; }
  // How a cache did so far.
  virtual CacheStats cache() const { return {}; }
  // SHA-256 of what tells this source from another: names and sizes of files, not their contents.
  virtual std::string fingerprint() const = 0;
};

class ImageDataset {
 public:
  ImageDataset() = default;
  // images (N, H, W, C) u8, 1 to 4 channels; labels (N) i64 in [0, class_names.size()). Throws
  // "[dataset] ..." on any other shape, dtype or label.
  ImageDataset(std::string name, Tensor images, Tensor labels, std::vector<std::string> class_names,
               ChannelStatistics statistics);
  // Images that `reader` reads, one for each label, of any size but with statistics.mean.size()
  // channels; the policies of data/augment.h bring them to height x width.
  ImageDataset(std::string name, std::shared_ptr<const ImageReader> reader, Tensor labels,
               std::vector<std::string> class_names, ChannelStatistics statistics, int64_t height,
               int64_t width);

  const std::string& name() const { return name_; }
  int64_t size() const { return labels_.defined() ? labels_.dim(0) : 0; }
  // What a network gets to see: the size of the images, or the one that they are brought to.
  int64_t height() const { return height_; }
  int64_t width() const { return width_; }
  int64_t channels() const { return static_cast<int64_t>(statistics_.mean.size()); }
  int64_t classes() const { return static_cast<int64_t>(class_names_.size()); }
  // Whether the images lie in memory, and whether they have the size height() x width() already.
  bool in_memory() const { return !reader_; }
  bool has_final_size() const;
  // The same images, to be brought to another size.
  ImageDataset resized(int64_t height, int64_t width) const;
  // (N, H, W, C) u8; throws unless in_memory().
  const Tensor& images() const;
  const Tensor& labels() const { return labels_; }
  const std::vector<std::string>& class_names() const { return class_names_; }
  const ChannelStatistics& statistics() const { return statistics_; }
  int64_t label(int64_t index) const;
  // Throws unless in_memory().
  ImageSample get(int64_t index) const;
  // (H, W, C) u8, for either kind; undefined when the image cannot be read and is to be left out.
  Tensor image(int64_t index) const;
  // Path and reason of each image that could not be read so far.
  std::vector<std::string> bad_images() const;
  // How the cache of images that are read from files did so far.
  CacheStats cache() const { return reader_ ? reader_->cache() : CacheStats{}; }

  // SHA-256 of labels, class names and pixels in memory or the reader's fingerprint: equal for
  // equal data, wherever they lie.
  std::string fingerprint() const;

  // For the normalisation; throws unless there is one mean and positive std per channel.
  void set_statistics(ChannelStatistics statistics);

  // What the augmentations need to know of an image of this size. The fill colour (for what crops,
  // rotations and cutout leave empty) is the mean, unless set_fill says otherwise.
  ImageInfo info(int64_t height, int64_t width) const;
  // Of the images in memory; throws unless in_memory().
  ImageInfo info() const { return info(images().dim(1), images().dim(2)); }
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
  void check_parts() const;

  std::string name_;
  Tensor images_;                              // or
  std::shared_ptr<const ImageReader> reader_;  // with
  Tensor indices_;                             // (N) i64, the reader's numbers
  int64_t height_ = 0, width_ = 0;
  Tensor labels_;
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
  // Side of the square that images are brought to; 0: their own size (folders of images: 224).
  int64_t image_size = 0;
  OnBadImage on_bad_image = OnBadImage::Error;
  CacheOptions cache = {};  // of images that are read from files
  // Instead of the published ones (folders of images: ImageNet's), where not empty.
  ChannelStatistics statistics = {};
};

// "fashion-mnist", "mnist", "cifar-10", "cifar-100", "folder" (data/image_folder.h).
std::vector<std::string> dataset_names();
// Loads a data set by name; warnings also go to stderr, each once per process. Throws on an unknown
// name (the message lists the names), on damaged files (path and byte offset), and when nothing is
// found: then the message says where it looked and the ways to get data.
ImageDataset load(const std::string& name, Split split, const LoadOptions& options = {});
// The folder that load() would read, or nothing.
std::optional<std::filesystem::path> locate(const std::string& name,
                                            const std::filesystem::path& root = {});

}  // namespace ditto::data
