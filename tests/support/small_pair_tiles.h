// Tiles of pair losses of a few KiB, so that small problems have several.
#pragma once

#include "kernels/pair_loss.h"

namespace ditto::testing {

class SmallPairTiles {
 public:
  explicit SmallPairTiles(int64_t bytes) : before_(kernels::pair_tile_bytes()) {
    kernels::set_pair_tile_bytes(bytes);
  }
  ~SmallPairTiles() { kernels::set_pair_tile_bytes(before_); }
  SmallPairTiles(const SmallPairTiles&) = delete;
  SmallPairTiles& operator=(const SmallPairTiles&) = delete;

 private:
  int64_t before_;
};

}  // namespace ditto::testing
