// Storage: shared bytes on a device, from a caching allocator with statistics.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "core/device.h"

namespace ditto {

// Pinned host memory is what a CUDA device copies from and to without a detour; plain where there
// is no such device.
enum class HostMemory : unsigned char { Plain, Pinned };

// Bytes are 64-byte aligned. Freed blocks are kept per size class (at most 12.5 % slack) for the
// next tensor of that size, so a training step in steady state asks the system for nothing. Under
// AddressSanitizer every block is its own allocation, so that overflows and uses after free are
// seen; new bytes are then filled with 0xff (a float NaN). On a CUDA device the bytes come from the
// driver's pool, in the order of the stream that the calling thread's context had
// (core/cuda_memory.h).
class Storage {
 public:
  Storage(int64_t bytes, Device device, HostMemory memory = HostMemory::Plain);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const { return data_; }
  int64_t bytes() const { return bytes_; }
  Device device() const { return device_; }
  bool pinned() const { return pinned_; }

  // Counts in-place writes; autograd compares it to find saved tensors that were changed.
  uint32_t version() const { return version_.load(std::memory_order_relaxed); }
  void bump_version() { version_.fetch_add(1, std::memory_order_relaxed); }

 private:
  void* data_ = nullptr;
  int64_t bytes_;
  Device device_;
  bool pinned_ = false;
  void* stream_ = nullptr;  // on which a device's bytes were allocated and are freed
  std::atomic<uint32_t> version_{0};
};

// Bytes held by live tensors, their peak, bytes cached for reuse, and the number of system
// allocations ever made (on a CUDA device: of allocations from the driver's pool).
struct MemoryStats {
  int64_t current = 0;
  int64_t peak = 0;
  int64_t cached = 0;
  int64_t system_allocations = 0;
};
MemoryStats memory_stats(Device device = kCpu);
// The peak starts again at the current use.
void reset_peak_memory(Device device = kCpu);
// Returns cached blocks to the system.
void release_cached_memory(Device device = kCpu);

}  // namespace ditto
