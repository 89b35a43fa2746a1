// What kernels ask of the memory system, counted from the accesses that the checker sees: the lanes
// of a warp that execute the same instruction for the same time form one access, as on a GPU. Off
// until enabled: counting costs time and memory.
//
// Reference: CUDA C++ Best Practices Guide, "Coalesced access to global memory", "Shared memory".
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace ditto::emulation {

// Sums over all launches of one name since the counters were enabled or cleared.
struct KernelCounters {
  uint64_t launches = 0;
  // Device memory. Of one warp access, `bytes` are the distinct ones; `sectors` are pieces of 32
  // bytes, and `least_sectors` would hold those bytes side by side.
  uint64_t bytes_read = 0, bytes_written = 0;
  uint64_t sectors = 0, least_sectors = 0;
  uint64_t atomics = 0;  // by lane
  // Bytes that pass between a cache and the memory behind it, in sectors; the cache keeps the
  // kCacheBytes used last and is empty when a launch begins.
  uint64_t memory_read = 0, memory_written = 0;
  // Shared memory: passes over its 32 banks, and the fewest that the sizes of the accesses allow.
  uint64_t shared_passes = 0, least_shared_passes = 0;

  // 1: every sector moved is used whole.
  double sector_efficiency() const {
    return sectors == 0 ? 1.0 : static_cast<double>(least_sectors) / static_cast<double>(sectors);
  }
  uint64_t memory_bytes() const { return memory_read + memory_written; }
  uint64_t bank_conflicts() const { return shared_passes - least_shared_passes; }
};

// The L2 cache of a GPU holds tens of megabytes, and tensors in training are larger. Tests use
// small tensors, so the cache is small as well: what a kernel reads twice counts twice unless it is
// close.
inline constexpr size_t kCacheBytes = 64 * 1024;

void enable_counters(bool on);
void clear_counters();

// By the kernel's name. Empty unless kernels are instrumented (checker::active()) and it is on.
std::map<std::string, KernelCounters> kernel_counters();

// A table in Markdown, one line per kernel.
std::string counters_table();

namespace counters {

// From the checker.
bool enabled();
void begin_launch(const std::string& kernel);
void end_launch();
void begin_block(size_t threads);
void record(unsigned thread, uint32_t place, uint64_t address, size_t bytes, bool write,
            bool atomic, bool shared);
// The warps have met: accesses after this are never part of those before.
void flush();

}  // namespace counters
}  // namespace ditto::emulation
