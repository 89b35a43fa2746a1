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

  static const AccessRecord* conflict(Cell& cell, const AccessRecord& access,
                                      const BlockClock& clock, bool between_blocks);

  std::vector<std::unique_ptr<Page>> pages_;
  AccessRecord found_;
};

}  // namespace ditto::emulation
