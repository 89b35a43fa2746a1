#include "data/image_cache.h"

namespace ditto::data {

CacheKind cache_kind(const std::string& name) {
  if (name == "encoded") return CacheKind::Encoded;
  if (name == "decoded") return CacheKind::Decoded;
  check(name == "none", "[cache] cache is none, encoded or decoded, got", name);
  return CacheKind::None;
}

Tensor ImageCache::find(int64_t index) {
  std::lock_guard lock(mutex_);
  const auto found = images_.find(index);
  ++(found == images_.end() ? stats_.misses : stats_.hits);
  return found == images_.end() ? Tensor() : found->second;
}

void ImageCache::keep(int64_t index, const Tensor& image) {
  const int64_t bytes = image.storage()->bytes();
  std::lock_guard lock(mutex_);
  if (bytes > limit_ - stats_.bytes || !images_.try_emplace(index, image).second) return;
  stats_.bytes += bytes;
  ++stats_.images;
}

CacheStats ImageCache::stats() const {
  std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace ditto::data
