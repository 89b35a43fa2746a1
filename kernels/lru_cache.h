// LruCache: what is dear to prepare and cheap to reuse (a compiled primitive, an algorithm choice),
// keyed by a plain struct of integers; the least recently used entry goes when the cache is full.
//
// Not synchronised: keep one per thread (thread_local), so that a hit takes no lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <type_traits>
#include <unordered_map>
#include <utility>

namespace ditto::kernels {

template <class Key, class Value>
class LruCache {
  // Padding bytes would make equal keys hash differently.
  static_assert(std::has_unique_object_representations_v<Key>);

 public:
  // `capacity` entries are kept, at least 1.
  explicit LruCache(size_t capacity) : capacity_(capacity < 1 ? 1 : capacity) {}

  // The entry of `key`; `make()` prepares it on a miss (when it throws, the cache is unchanged).
  // The reference lives until the entry is evicted, that is, at most until the next miss.
  template <class Make>
  Value& get(const Key& key, Make&& make) {
    if (auto found = index_.find(key); found != index_.end()) {
      entries_.splice(entries_.begin(), entries_, found->second);  // moves the node, no malloc
      return entries_.front().second;
    }
    entries_.emplace_front(key, make());
    try {
      index_.emplace(key, entries_.begin());
    } catch (...) {
      entries_.pop_front();
      throw;
    }
    if (entries_.size() > capacity_) {
      index_.erase(entries_.back().first);
      entries_.pop_back();
    }
    return entries_.front().second;
  }

  size_t size() const { return entries_.size(); }
  size_t capacity() const { return capacity_; }
  bool contains(const Key& key) const { return index_.count(key) > 0; }

 private:
  struct Hash {
    // FNV-1a over the bytes.
    size_t operator()(const Key& key) const {
      uint64_t hash = 0xcbf29ce484222325;
      const auto* bytes = reinterpret_cast<const unsigned char*>(&key);
      for (size_t i = 0; i < sizeof(Key); ++i) hash = (hash ^ bytes[i]) * 0x100000001b3;
      return static_cast<size_t>(hash);
    }
  };
  using Entries = std::list<std::pair<Key, Value>>;

  size_t capacity_;
  Entries entries_;  // most recently used first
  std::unordered_map<Key, typename Entries::iterator, Hash> index_;
};

}  // namespace ditto::kernels
