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

class ImageFiles : public ImageReader {
 public:
  // RGB images; `root` is the data set's folder, which does not count for the fingerprint.
  ImageFiles(std::vector<std::filesystem::path> files, std::filesystem::path root,
             OnBadImage on_bad_image = OnBadImage::Error, const CacheOptions& cache = {});

  Tensor read(int64_t index) const override;
  std::vector<std::string> bad_images() const override;
  CacheStats cache() const override { return cache_.stats(); }
  std::string fingerprint() const override;

 private:
  Tensor read_or_throw(int64_t index) const;

  const std::vector<std::filesystem::path> files_;
  const std::filesystem::path root_;
  const OnBadImage on_bad_image_;
  const CacheKind kind_;
  mutable ImageCache cache_;
  mutable std::mutex mutex_;
  mutable std::map<int64_t, std::string> bad_;  // reasons name the path
};

}  // namespace ditto::data
