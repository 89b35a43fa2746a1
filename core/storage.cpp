#include "core/storage.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "core/error.h"
#include "core/on_device.h"
#include "core/sanitizer.h"

#ifdef DITTO_HAS_CUDA
#include "core/cuda_memory.h"
#include "core/device_choice.h"
#endif

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

// Host memory in blocks that are kept for reuse.
class HostAllocator {
 public:
  using Allocate = void* (*)(int64_t bytes, int64_t size_class);
  using Free = void (*)(void*);
  HostAllocator(Allocate allocate, Free free) : system_allocate_(allocate), system_free_(free) {}

  void* allocate(int64_t bytes) {
    const int64_t size = size_class(bytes);
    std::lock_guard lock(mutex_);
    void* block = nullptr;
    if (auto& list = free_[size]; !list.empty()) {
      block = list.back();
      list.pop_back();
      stats_.cached -= size;
    } else {
      block = system_allocate_(bytes, size);
      if (!block && stats_.cached > 0) {
        release_all();
        block = system_allocate_(bytes, size);
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
      system_free_(block);
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
  void release_all() {
    for (auto& [size, list] : free_) {
      for (void* block : list) system_free_(block);
      list.clear();
    }
    stats_.cached = 0;
  }

  Allocate system_allocate_;
  Free system_free_;
  std::mutex mutex_;
  std::unordered_map<int64_t, std::vector<void*>> free_;
  MemoryStats stats_;
};

// The sanitizer sees an overflow only behind a block without slack.
int64_t wanted_bytes(int64_t bytes, int64_t size) {
  return kPassThrough ? std::max<int64_t>(bytes, 1) : size;
}

// Never destroyed: tensors with static storage may be released after main.
HostAllocator& cpu_allocator() {
  static HostAllocator* instance = new HostAllocator(
      [](int64_t bytes, int64_t size) {
        void* block = nullptr;
        const auto wanted = static_cast<size_t>(wanted_bytes(bytes, size));
        return posix_memalign(&block, 64, wanted) == 0 ? block : nullptr;
      },
      std::free);
  return *instance;
}

#ifdef DITTO_HAS_CUDA
HostAllocator& pinned_allocator() {
  static HostAllocator* instance = new HostAllocator(
      [](int64_t bytes, int64_t size) { return cuda_allocate_pinned(wanted_bytes(bytes, size)); },
      cuda_release_pinned);
  return *instance;
}
#endif

}  // namespace

Storage::Storage(int64_t bytes, Device device, HostMemory memory) : bytes_(bytes), device_(device) {
  check(bytes >= 0, "[storage] negative size:", bytes);
  // Beyond any address space; rounding up to the size class must not overflow.
  check(bytes <= int64_t{1} << 56, "[storage] out of memory: asked for", bytes, "bytes");
#ifdef DITTO_HAS_CUDA
  if (device.is_cuda()) {
    CudaContext& ctx = cuda_context(device.index);
    stream_ = ctx.stream();
    data_ = cuda_allocate(ctx, bytes, ctx.stream());
    return;
  }
  // Without a device there is nothing to be pinned for.
  pinned_ = memory == HostMemory::Pinned && cuda_device_count() > 0;
  if (pinned_) {
    data_ = pinned_allocator().allocate(bytes);
    return;
  }
#endif
  check(device.is_cpu(), "[storage] this build has no CUDA support:", device);
  static_cast<void>(memory);
  data_ = cpu_allocator().allocate(bytes);
}

Storage::~Storage() {
#ifdef DITTO_HAS_CUDA
  if (device_.is_cuda()) {
    cuda_release(device_.index, data_, bytes_, static_cast<cudaStream_t>(stream_));
    return;
  }
  if (pinned_) {
    pinned_allocator().release(data_, bytes_);
    return;
  }
#endif
  cpu_allocator().release(data_, bytes_);
}

#ifdef DITTO_HAS_CUDA
MemoryStats memory_stats(Device device) {
  return device.is_cuda() ? cuda_memory_stats(device.index) : cpu_allocator().stats();
}
void reset_peak_memory(Device device) {
  device.is_cuda() ? cuda_reset_peak_memory(device.index) : cpu_allocator().reset_peak();
}
void release_cached_memory(Device device) {
  device.is_cuda() ? cuda_release_cached_memory(device.index) : cpu_allocator().release_cached();
}
#else
MemoryStats memory_stats(Device) { return cpu_allocator().stats(); }
void reset_peak_memory(Device) { cpu_allocator().reset_peak(); }
void release_cached_memory(Device) { cpu_allocator().release_cached(); }
#endif

}  // namespace ditto
