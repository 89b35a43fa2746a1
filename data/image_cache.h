// ImageCache: images that were read once and are kept in memory, up to a number of bytes.
//
// Nothing is thrown out for something newer: an epoch shows every image once, in a new order, so
// every image is as likely to come next as any other, and a fixed set that fits gives the share of
// hits that its size promises. A least-recently-used cache gives fewer.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

#include "core/tensor.h"

namespace ditto::data {

// What is kept: nothing, files as they are (small), or pixels (nothing is left to decode).
enum class CacheKind { None, Encoded, Decoded };
CacheKind cache_kind(const std::string& name);  // "none", "encoded", "decoded"

struct CacheOptions {
  CacheKind kind = CacheKind::None;
  int64_t bytes = int64_t{1} << 30;  // the most that is kept
};

struct CacheStats {
  int64_t hits = 0, misses = 0;
  int64_t images = 0, bytes = 0;  // kept at this moment
};

// Any number of threads may use it.
class ImageCache {
 public:
  explicit ImageCache(int64_t limit) : limit_(limit) {}

  // Undefined when the image is not there.
  Tensor find(int64_t index);
  // Keeps the tensor if there is room and the image is not there yet. Nobody may write to it then.
  void keep(int64_t index, const Tensor& image);
  CacheStats stats() const;

 private:
  const int64_t limit_;
  mutable std::mutex mutex_;
  std::unordered_map<int64_t, Tensor> images_;
  CacheStats stats_;
};

}  // namespace ditto::data
