#include "data/image_files.h"

#include "core/sha256.h"
#include "data/image.h"

namespace ditto::data {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kBlackSide = 64;

}  // namespace

ImageFiles::ImageFiles(std::vector<fs::path> files, fs::path root, OnBadImage on_bad_image,
                       const CacheOptions& cache)
    : files_(std::move(files)),
      root_(std::move(root)),
      on_bad_image_(on_bad_image),
      kind_(cache.kind),
      cache_(cache.bytes) {
  check(cache.bytes >= 0, "[cache] negative limit:", cache.bytes);
}

Tensor ImageFiles::read_or_throw(int64_t index) const {
  const fs::path& path = files_[static_cast<size_t>(index)];
  if (kind_ == CacheKind::None) return read_image(path);
  Tensor found = cache_.find(index);
  if (kind_ == CacheKind::Decoded) {
    if (!found.defined()) cache_.keep(index, found = read_image(path));
    return found;
  }
  const bool is_new = !found.defined();
  if (is_new) found = read_image_file(path);
  const Tensor image =
      decode_image({found.data<uint8_t>(), static_cast<size_t>(found.numel())}, path.string());
  if (is_new) cache_.keep(index, found);
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
  return Tensor::zeros({kBlackSide, kBlackSide, 3}, Dtype::U8);
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
