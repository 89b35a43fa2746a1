#include "tests/cuda_emulation/counters.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <list>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ditto::emulation {
namespace {

constexpr uint64_t kSector = 32;
// Accesses of one warp that wait for its other lanes: a bound on memory, not a property of GPUs.
constexpr size_t kMostPending = size_t{1} << 18;

// The accesses of up to 32 lanes by one instruction.
struct WarpAccess {
  std::array<uint64_t, 32> address;
  uint32_t lanes = 0;
  uint32_t bytes = 0;
  bool write = false, atomic = false, shared = false;
};

struct Warp {
  std::vector<WarpAccess> pending;  // in the order in which the first lane made them
  // By place: how often each lane was there, and which element of `pending` each time was.
  struct Place {
    std::array<uint32_t, 32> times{};
    std::vector<uint32_t> pending;
  };
  std::unordered_map<uint32_t, Place> places;
};

// Which sectors lie in the cache; counts what passes behind it.
class Cache {
 public:
  void clear() {
    order_.clear();
    lines_.clear();
  }
  void touch(uint64_t sector, bool write, KernelCounters& counters) {
    auto [line, is_new] = lines_.try_emplace(sector);
    if (is_new) {
      order_.push_front(sector);
      line->second = {order_.begin(), false};
      if (!write) counters.memory_read += kSector;
    } else {
      order_.splice(order_.begin(), order_, line->second.at);
    }
    if (write && !line->second.dirty) {
      line->second.dirty = true;
      counters.memory_written += kSector;
    }
    if (order_.size() > kCacheBytes / kSector) {
      lines_.erase(order_.back());
      order_.pop_back();
    }
  }

 private:
  struct Line {
    std::list<uint64_t>::iterator at;
    bool dirty;
  };
  std::list<uint64_t> order_;  // the one used last in front
  std::unordered_map<uint64_t, Line> lines_;
};

struct State {
  bool on = false;
  std::map<std::string, KernelCounters> kernels;
  KernelCounters* current = nullptr;
  std::vector<Warp> warps;
  Cache cache;
};

State& state() {
  static auto* all = new State;
  return *all;
}

void count_device_access(const WarpAccess& access, KernelCounters& counters) {
  std::array<std::pair<uint64_t, uint64_t>, 32> ranges;
  size_t count = 0;
  for (int lane = 0; lane < 32; ++lane)
    if (access.lanes >> lane & 1)
      ranges[count++] = {access.address[lane], access.address[lane] + access.bytes};
  std::sort(ranges.begin(), ranges.begin() + count);
  uint64_t distinct = 0, covered = 0, next_sector = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto [begin, end] = ranges[i];
    if (end > covered) distinct += end - std::max(begin, covered);
    covered = std::max(covered, end);
    for (uint64_t s = std::max(begin / kSector, next_sector); s <= (end - 1) / kSector; ++s) {
      ++counters.sectors;
      state().cache.touch(s, access.write, counters);
      next_sector = s + 1;
    }
  }
  (access.write ? counters.bytes_written : counters.bytes_read) += distinct;
  counters.least_sectors += (distinct + kSector - 1) / kSector;
  if (access.atomic) counters.atomics += static_cast<uint64_t>(std::popcount(access.lanes));
}

// Accesses of 8 bytes are made by half warps, of 16 by quarters, one after another.
void count_shared_access(const WarpAccess& access, KernelCounters& counters) {
  const int group = access.bytes <= 4 ? 32 : access.bytes <= 8 ? 16 : 8;
  for (int first = 0; first < 32; first += group) {
    std::vector<uint64_t> words;
    for (int lane = first; lane < first + group; ++lane) {
      if (!(access.lanes >> lane & 1)) continue;
      const uint64_t end = access.address[lane] + access.bytes;
      for (uint64_t w = access.address[lane] / 4; w * 4 < end; ++w) words.push_back(w);
    }
    if (words.empty()) continue;
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    std::array<uint32_t, 32> banks{};
    for (uint64_t word : words) ++banks[word % 32];
    counters.shared_passes += *std::max_element(banks.begin(), banks.end());
    counters.least_shared_passes += 1;
  }
}

void flush_warp(Warp& warp) {
  for (const WarpAccess& access : warp.pending) {
    if (access.shared)
      count_shared_access(access, *state().current);
    else
      count_device_access(access, *state().current);
  }
  warp.pending.clear();
  warp.places.clear();
}

}  // namespace

void enable_counters(bool on) { state().on = on; }
void clear_counters() { state().kernels.clear(); }
std::map<std::string, KernelCounters> kernel_counters() { return state().kernels; }

std::string counters_table() {
  std::string table =
      "| kernel | launches | KB read | KB written | sector efficiency | memory KB | atomics "
      "| bank conflicts |\n|---|---|---|---|---|---|---|---|\n";
  for (const auto& [name, c] : state().kernels) {
    char line[256];
    std::snprintf(
        line, sizeof line, " | %llu | %.1f | %.1f | %.3f | %.1f | %llu | %llu |\n",
        static_cast<unsigned long long>(c.launches), static_cast<double>(c.bytes_read) / 1024,
        static_cast<double>(c.bytes_written) / 1024, c.sector_efficiency(),
        static_cast<double>(c.memory_bytes()) / 1024, static_cast<unsigned long long>(c.atomics),
        static_cast<unsigned long long>(c.bank_conflicts()));
    table += "| " + name + line;
  }
  return table;
}

namespace counters {

bool enabled() { return state().on; }

void begin_launch(const std::string& kernel) {
  state().current = &state().kernels[kernel];
  ++state().current->launches;
  state().cache.clear();
}

void end_launch() { flush(); }

void begin_block(size_t threads) { state().warps.assign((threads + 31) / 32, Warp{}); }

void record(unsigned thread, uint32_t place, uint64_t address, size_t bytes, bool write,
            bool atomic, bool shared) {
  Warp& warp = state().warps[thread / 32];
  const unsigned lane = thread % 32;
  if (warp.pending.size() >= kMostPending) flush_warp(warp);
  Warp::Place& here = warp.places[place];
  const uint32_t time = here.times[lane]++;
  if (time == here.pending.size()) {
    here.pending.push_back(static_cast<uint32_t>(warp.pending.size()));
    warp.pending.push_back({});
  }
  WarpAccess& access = warp.pending[here.pending[time]];
  access.address[lane] = address;
  access.lanes |= uint32_t{1} << lane;
  access.bytes = static_cast<uint32_t>(bytes);
  access.write = write;
  access.atomic = atomic;
  access.shared = shared;
}

void flush() {
  for (Warp& warp : state().warps) flush_warp(warp);
}

}  // namespace counters
}  // namespace ditto::emulation
