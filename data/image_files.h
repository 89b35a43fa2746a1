// ImageFiles: an ImageReader of JPEG and PNG files, with what to do about bad ones and a cache.
#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/image_cache.h"

namespace ditto::data {

// Pixels, upright.
struct ImageSize {
  int64_t width = 0, height = 0;
};

class ImageFiles : public ImageReader {
 public:
  // RGB images; `root` is the data set's folder, which does not count for the fingerprint. Where
  // `sizes` are given, one per file, as annotations say them, an image of another size is a bad
  // one. Black ones that replace bad ones have that size, or else a size of their own.
  ImageFiles(std::vector<std::filesystem::path> files, std::filesystem::path root,
             OnBadImage on_bad_image = OnBadImage::Error, const CacheOptions& cache = {},
             std::vector<ImageSize> sizes = {});

  Tensor read(int64_t index) const override;
  std::vector<std::string> bad_images() const override;
  CacheStats cache() const override { return cache_.stats(); }
  std::string fingerprint() const override;

 private:
  Tensor read_or_throw(int64_t index) const;
  void check_size(int64_t index, const Tensor& image) const;

  const std::vector<std::filesystem::path> files_;
  const std::filesystem::path root_;
  const std::vector<ImageSize> sizes_;
  const OnBadImage on_bad_image_;
  const CacheKind kind_;
  mutable ImageCache cache_;
  mutable std::mutex mutex_;
  mutable std::map<int64_t, std::string> bad_;  // reasons name the path
};

}  // namespace ditto::data
