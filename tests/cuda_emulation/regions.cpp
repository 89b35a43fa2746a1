#include "tests/cuda_emulation/regions.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <new>
#include <utility>

namespace ditto::emulation {
namespace {

constexpr size_t kReleasedKept = 1024;
// An address so close to a region missed it; one farther away is of another kind of memory.
constexpr uintptr_t kNear = 4096;

std::string size_text(const Region& region) {
  const std::string bytes = std::to_string(region.bytes) + " bytes";
  return region.shared_name ? "shared array " + std::string(region.shared_name) + " of " + bytes
                            : "a device allocation of " + bytes;
}

}  // namespace

std::string Region::describe(uintptr_t address) const {
  return "byte " + std::to_string(address - begin) + " of " + size_text(*this);
}

Region& Regions::add(uintptr_t begin, size_t bytes, const char* shared_name) {
  std::erase_if(released_, [&](const Released& old) {
    return old.begin < begin + bytes && begin < old.begin + old.bytes;
  });
  Region& region = regions_[begin];
  region = Region{};
  region.begin = begin;
  region.bytes = bytes;
  region.shared_name = shared_name;
  region.written = {static_cast<uint8_t*>(std::calloc(bytes + 1, 1)), std::free};
  if (!region.written) throw std::bad_alloc();
  region.races.resize(bytes);
  if (shared_name) shared_.push_back(begin);
  std::fill(std::begin(last_), std::end(last_), nullptr);
  return region;
}

void Regions::remove(uintptr_t begin) {
  auto at = regions_.find(begin);
  if (at == regions_.end()) return;
  if (released_.size() >= kReleasedKept) released_.erase(released_.begin());
  released_.push_back({begin, at->second.bytes});
  regions_.erase(at);
  std::fill(std::begin(last_), std::end(last_), nullptr);
}

void Regions::remove_shared() {
  for (uintptr_t begin : shared_) regions_.erase(begin);
  shared_.clear();
  std::fill(std::begin(last_), std::end(last_), nullptr);
}

Region* Regions::find(uintptr_t address) {
  for (Region* region : last_)
    if (region && region->holds(address)) return region;
  auto next = regions_.upper_bound(address);
  if (next == regions_.begin()) return nullptr;
  Region& region = std::prev(next)->second;
  if (!region.holds(address)) return nullptr;
  last_[oldest_] = &region;
  oldest_ = (oldest_ + 1) % std::size(last_);
  return &region;
}

void Regions::mark_written(uintptr_t begin, size_t bytes) {
  while (bytes > 0) {
    Region* region = find(begin);
    if (!region) return;
    const size_t count = std::min(bytes, region->end() - begin);
    std::memset(&region->written[begin - region->begin], 1, count);
    begin += count;
    bytes -= count;
  }
}

Regions::Stray Regions::explain(uintptr_t address) const {
  for (const Released& old : released_) {
    if (address - old.begin < old.bytes) {
      return {"use-after-free", "byte " + std::to_string(address - old.begin) +
                                    " of a released allocation of " + std::to_string(old.bytes) +
                                    " bytes"};
    }
  }
  auto next = regions_.upper_bound(address);
  const Region* below = next == regions_.begin() ? nullptr : &std::prev(next)->second;
  const Region* above = next == regions_.end() ? nullptr : &next->second;
  const uintptr_t past = below ? address - below->end() : kNear;
  const uintptr_t before = above ? above->begin - address : kNear;
  if (past < kNear && past <= before)
    return {"out-of-bounds", std::to_string(past) + " bytes past the end of " + size_text(*below)};
  if (before < kNear)
    return {"out-of-bounds",
            std::to_string(before) + " bytes before the begin of " + size_text(*above)};
  return {"host-pointer", "neither device nor shared memory: an address of the host?"};
}

}  // namespace ditto::emulation
