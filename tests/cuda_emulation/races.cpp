#include "tests/cuda_emulation/races.h"

#include <algorithm>

namespace ditto::emulation {
namespace {

bool exclude_each_other(const AccessRecord& a, const AccessRecord& b) {
  return a.atomic && b.atomic;
}

}  // namespace

void BlockClock::begin_block(uint32_t number, size_t threads) {
  block_ = number;
  clocks_.assign(threads, 1);
  barrier_clock_ = 1;
  warps_.assign((threads + 31) / 32, Warp{});
}

void BlockClock::barrier() {
  barrier_clock_ = *std::max_element(clocks_.begin(), clocks_.end()) + 1;
  std::fill(clocks_.begin(), clocks_.end(), barrier_clock_);
}

void BlockClock::sync_warp(unsigned warp, uint32_t mask) {
  uint32_t* const clocks = &clocks_[warp * 32];
  uint32_t together[32] = {};
  for (int lane = 0; lane < 32; ++lane) {
    if (!(mask >> lane & 1)) continue;
    const uint32_t* known = warps_[warp].known[lane];
    for (int other = 0; other < 32; ++other)
      together[other] = std::max(together[other], known[other]);
    together[lane] = std::max(together[lane], ++clocks[lane]);
  }
  for (int lane = 0; lane < 32; ++lane)
    if (mask >> lane & 1) std::copy(together, together + 32, warps_[warp].known[lane]);
}

bool BlockClock::ordered(const AccessRecord& earlier, unsigned thread) const {
  if (earlier.thread == thread || earlier.clock < barrier_clock_) return true;
  return earlier.thread / 32 == thread / 32 &&
         earlier.clock < warps_[thread / 32].known[thread % 32][earlier.thread % 32];
}

void RaceShadow::resize(size_t bytes) {
  pages_.clear();
  pages_.resize((bytes + kPageBytes - 1) / kPageBytes);
}

RaceShadow::Touched RaceShadow::touched(const Cell& cell) {
  if (cell.write.clock != 0 || (cell.other_block.clock != 0 && cell.other_block.write))
    return Touched::kWritten;
  const bool read = cell.read.clock != 0 || cell.other_block.clock != 0;
  return read ? Touched::kRead : Touched::kNot;
}

const AccessRecord* RaceShadow::conflict(Cell& cell, const AccessRecord& access,
                                         const BlockClock& clock, bool between_blocks) {
  // What this block left in the cell before another block came is the other block's now.
  auto retire = [&](AccessRecord& old) {
    if (old.clock == 0 || old.block == access.block) return;
    const bool stronger = cell.other_block.clock == 0 || (old.write && !cell.other_block.write) ||
                          (!old.atomic && cell.other_block.atomic);
    if (stronger) cell.other_block = old;
    old = {};
  };
  retire(cell.read);
  retire(cell.other_read);
  retire(cell.write);
  auto races = [&](const AccessRecord& earlier) {
    return earlier.clock != 0 && (access.write || earlier.write) &&
           !exclude_each_other(earlier, access);
  };
  const AccessRecord* found = nullptr;
  if (between_blocks && races(cell.other_block)) found = &cell.other_block;
  for (const AccessRecord* earlier : {&cell.write, &cell.read, &cell.other_read})
    if (!found && races(*earlier) && !clock.ordered(*earlier, access.thread)) found = earlier;
  return found;
}

const AccessRecord* RaceShadow::record(uint64_t launch, size_t offset, size_t bytes,
                                       const AccessRecord& access, const BlockClock& clock,
                                       bool between_blocks) {
  const bool words = offset % 4 == 0 && bytes % 4 == 0;
  bool found = false;
  for (size_t at = offset; at < offset + bytes;) {
    auto& page = pages_[at / kPageBytes];
    if (!page) page = std::make_unique<Page>();
    if (page->launch != launch) {
      page->launch = launch;
      page->bytewise = false;
      page->cells.assign(kPageBytes / 4, Cell{});
    }
    if (!words && !page->bytewise) {
      page->bytewise = true;
      std::vector<Cell> cells(kPageBytes);
      for (size_t i = 0; i < kPageBytes; ++i) cells[i] = page->cells[i / 4];
      page->cells = std::move(cells);
    }
    const size_t in_page = at % kPageBytes;
    Cell& cell = page->cells[page->bytewise ? in_page : in_page / 4];
    if (const AccessRecord* earlier = conflict(cell, access, clock, between_blocks);
        earlier && !found) {
      found = true;
      found_ = *earlier;
    }
    if (access.write) {
      cell.write = access;
    } else {
      if (cell.read.clock != 0 && cell.read.thread != access.thread) cell.other_read = cell.read;
      cell.read = access;
    }
    at += page->bytewise ? 1 : 4;
  }
  return found ? &found_ : nullptr;
}

}  // namespace ditto::emulation
