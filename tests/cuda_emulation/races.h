// Who touched which byte in the current launch, and whether the accesses of two threads are
// ordered: by a barrier of their block or a __syncwarp of their warp, and by nothing else.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace ditto::emulation {

struct AccessRecord {
  uint32_t block = 0;
  uint32_t place = 0;   // where in the source, an id of the checker
  uint32_t clock = 0;   // of the thread, at the access; 0: no access
  uint16_t thread = 0;  // in the block
  bool write = false;
  bool atomic = false;
};

// Time in one block. Each thread has a clock that moves when the thread meets others; another
// thread's access is ordered before what I do now if its clock then was below what I know of it.
class BlockClock {
 public:
  void begin_block(uint32_t number, size_t threads);
  void barrier();
  void sync_warp(unsigned warp, uint32_t mask);

  uint32_t block() const { return block_; }
  uint32_t now(unsigned thread) const { return clocks_[thread]; }
  // `earlier` is of this block.
  bool ordered(const AccessRecord& earlier, unsigned thread) const;

 private:
  struct Warp {
    uint32_t known[32][32] = {};  // known[a][b]: lane a has met all accesses of b with lower clocks
  };

  uint32_t block_ = 0;
  std::vector<uint32_t> clocks_;
  uint32_t barrier_clock_ = 0;  // accesses with lower clocks lie before the last barrier
  std::vector<Warp> warps_;
};

// Accesses of the current launch to one region.
class RaceShadow {
 public:
  void resize(size_t bytes);

  // Records the access. Returns the earlier one that it races with, or null.
  // Accesses of other blocks only count where `between_blocks`: shared memory belongs to one.
  const AccessRecord* record(uint64_t launch, size_t offset, size_t bytes,
                             const AccessRecord& access, const BlockClock& clock,
                             bool between_blocks);

  // Calls f(offset, bytes, write) for pieces that the launch touched, in order and merged.
  template <class F>
  void for_each_touched(uint64_t launch, F f) const;

 private:
  // Of this block the last write and the last reads of two threads; of other blocks the one access
  // that conflicts with most.
  struct Cell {
    AccessRecord write, read, other_read, other_block;
  };
  // 256 bytes. A cell stands for four bytes until somebody touches fewer, then for one.
  struct Page {
    uint64_t launch = 0;
    bool bytewise = false;
    std::vector<Cell> cells;
  };

  static constexpr size_t kPageBytes = 256;

  enum class Touched { kNot, kRead, kWritten };
  static Touched touched(const Cell& cell);
  static const AccessRecord* conflict(Cell& cell, const AccessRecord& access,
                                      const BlockClock& clock, bool between_blocks);

  std::vector<std::unique_ptr<Page>> pages_;
  AccessRecord found_;
};

template <class F>
void RaceShadow::for_each_touched(uint64_t launch, F f) const {
  Touched state = Touched::kNot;
  size_t begin = 0;
  auto next = [&](size_t offset, Touched now) {
    if (now == state) return;
    if (state != Touched::kNot) f(begin, offset - begin, state == Touched::kWritten);
    state = now;
    begin = offset;
  };
  for (size_t p = 0; p < pages_.size(); ++p) {
    const Page* page = pages_[p].get();
    if (!page || page->launch != launch) {
      next(p * kPageBytes, Touched::kNot);
      continue;
    }
    const size_t step = page->bytewise ? 1 : 4;
    for (size_t i = 0; i < page->cells.size(); ++i)
      next(p * kPageBytes + i * step, touched(page->cells[i]));
  }
  next(pages_.size() * kPageBytes, Touched::kNot);
}

}  // namespace ditto::emulation
