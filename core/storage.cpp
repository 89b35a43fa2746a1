#include "core/storage.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "core/error.h"
#include "core/sanitizer.h"

namespace ditto {
namespace {

constexpr bool kPassThrough = kAddressSanitizer;  // let the sanitizer see every object

// Eight size classes per power of two.
int64_t size_class(int64_t bytes) {
  constexpr int64_t kAlign = 64;
  bytes = std::max<int64_t>(bytes, 1);
  if (bytes <= 512) return (bytes + kAlign - 1) / kAlign * kAlign;
  const int64_t step = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(bytes - 1))) / 8;
  return (bytes + step - 1) / step * step;
}

class CpuAllocator {
 public:
  void* allocate(int64_t bytes) {
    const int64_t size = size_class(bytes);
    std::lock_guard lock(mutex_);
    void* block = nullptr;
    if (auto& list = free_[size]; !list.empty()) {
      block = list.back();
      list.pop_back();
      stats_.cached -= size;
    } else {
      block = system_allocate(bytes, size);
      if (!block && stats_.cached > 0) {
        release_all();
        block = system_allocate(bytes, size);
      }
      check(block != nullptr, "[storage] out of memory: asked for", size, "bytes while",
            stats_.current, "are in use");
      ++stats_.system_allocations;
    }
    stats_.current += size;
    stats_.peak = std::max(stats_.peak, stats_.current);
    if (kPassThrough) std::memset(block, 0xff, static_cast<size_t>(bytes));
    return block;
  }

  void release(void* block, int64_t bytes) noexcept {
    const int64_t size = size_class(bytes);
    std::lock_guard lock(mutex_);
    stats_.current -= size;
    if (kPassThrough) {
      std::free(block);
      return;
    }
    stats_.cached += size;
    free_[size].push_back(block);
  }

  MemoryStats stats() {
    std::lock_guard lock(mutex_);
    return stats_;
  }
  void reset_peak() {
    std::lock_guard lock(mutex_);
    stats_.peak = stats_.current;
  }
  void release_cached() {
    std::lock_guard lock(mutex_);
    release_all();
  }

 private:
  static void* system_allocate(int64_t bytes, int64_t size) {
    // The sanitizer sees an overflow only behind a block without slack.
    void* block = nullptr;
    const auto wanted = static_cast<size_t>(kPassThrough ? std::max<int64_t>(bytes, 1) : size);
    return posix_memalign(&block, 64, wanted) == 0 ? block : nullptr;
  }
  void release_all() {
    for (auto& [size, list] : free_) {
      for (void* block : list) std::free(block);
      list.clear();
    }
    stats_.cached = 0;
  }

  std::mutex mutex_;
  std::unordered_map<int64_t, std::vector<void*>> free_;
  MemoryStats stats_;
};

// Never destroyed: tensors with static storage may be released after main.
CpuAllocator& cpu_allocator() {
  static CpuAllocator* instance = new CpuAllocator;
  return *instance;
}

}  // namespace

Storage::Storage(int64_t bytes, Device device) : bytes_(bytes), device_(device) {
  check(bytes >= 0, "[storage] negative size:", bytes);
  // Beyond any address space; rounding up to the size class must not overflow.
  check(bytes <= int64_t{1} << 56, "[storage] out of memory: asked for", bytes, "bytes");
  check(device.is_cpu(), "[storage] this build has no CUDA support:", device);
  data_ = cpu_allocator().allocate(bytes);
}

Storage::~Storage() { cpu_allocator().release(data_, bytes_); }

MemoryStats memory_stats(Device) { return cpu_allocator().stats(); }
void reset_peak_memory(Device) { cpu_allocator().reset_peak(); }
void release_cached_memory(Device) { cpu_allocator().release_cached(); }

}  // namespace ditto
