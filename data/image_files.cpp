#include "data/image_files.h"

#include "core/sha256.h"
#include "data/image.h"

namespace ditto::data {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kBlackSide = 64;

}  // namespace

ImageFiles::ImageFiles(std::vector<fs::path> files, fs::path root, OnBadImage on_bad_image,
                       const CacheOptions& cache, std::vector<ImageSize> sizes)
    : files_(std::move(files)),
      root_(std::move(root)),
      sizes_(std::move(sizes)),
      on_bad_image_(on_bad_image),
      kind_(cache.kind),
      cache_(cache.bytes) {
  check(cache.bytes >= 0, "[cache] negative limit:", cache.bytes);
  check(sizes_.empty() || sizes_.size() == files_.size(), "[image_files]", sizes_.size(),
        "sizes for", files_.size(), "files");
}

void ImageFiles::check_size(int64_t index, const Tensor& image) const {
  if (sizes_.empty()) return;
  const auto at = static_cast<size_t>(index);
  const ImageSize& expected = sizes_[at];
  if (image.dim(1) != expected.width || image.dim(0) != expected.height)
    fail("[image]", printable(files_[at].string()), "has", image.dim(1), "x", image.dim(0),
         "pixels, its annotation is for", expected.width, "x", expected.height);
}

Tensor ImageFiles::read_or_throw(int64_t index) const {
  const fs::path& path = files_[static_cast<size_t>(index)];
  const auto read_new = [&] {
    const Tensor image = read_image(path);
    check_size(index, image);
    return image;
  };
  if (kind_ == CacheKind::None) return read_new();
  Tensor found = cache_.find(index);
  if (kind_ == CacheKind::Decoded) {
    if (!found.defined()) cache_.keep(index, found = read_new());
    return found;
  }
  const bool is_new = !found.defined();
  if (is_new) found = read_image_file(path);
  const Tensor image =
      decode_image({found.data<uint8_t>(), static_cast<size_t>(found.numel())}, path.string());
  if (is_new) {
    check_size(index, image);
    cache_.keep(index, found);
  }
  return image;
}

Tensor ImageFiles::read(int64_t index) const {
  try {
    return read_or_throw(index);
  } catch (const Error& error) {
    if (on_bad_image_ == OnBadImage::Error) throw;
    std::lock_guard lock(mutex_);
    bad_.try_emplace(index, error.what());
  }
  if (on_bad_image_ == OnBadImage::Skip) return {};
  const ImageSize black =
      sizes_.empty() ? ImageSize{kBlackSide, kBlackSide} : sizes_[static_cast<size_t>(index)];
  return Tensor::zeros({black.height, black.width, 3}, Dtype::U8);
}

std::string ImageFiles::fingerprint() const {
  std::string lines;
  for (const fs::path& path : files_) {
    std::error_code error;
    const auto bytes = fs::file_size(path, error);
    lines += path.lexically_relative(root_).native() + '\0' +
             (error ? std::string("unreadable") : std::to_string(bytes)) + '\n';
  }
  return sha256(lines);
}

std::vector<std::string> ImageFiles::bad_images() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& [index, reason] : bad_) out.push_back(reason);
  return out;
}

}  // namespace ditto::data
