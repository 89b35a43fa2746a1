// Functions in which the lanes of a warp meet: shuffles, votes, matches and reductions of 32 lanes.
// This file knows what they compute; who waits for whom is the scheduler's.
#pragma once

#include <cstdint>

namespace ditto::emulation {

enum class WarpOp {
  kSync,
  kShuffle,
  kShuffleUp,
  kShuffleDown,
  kShuffleXor,
  kBallot,
  kAll,
  kAny,
  kMatchAny,
  kMatchAll,
  kReduceAdd,
  kReduceMinSigned,
  kReduceMaxSigned,
  kReduceMin,
  kReduceMax,
  kReduceAnd,
  kReduceOr,
  kReduceXor,
};

// Name of the function in CUDA C++.
const char* name(WarpOp op);

// What one lane brings: `value` as bits (64, sign or zero extended), and for shuffles the lane,
// distance or lane mask and the width.
struct WarpCall {
  WarpOp op;
  uint32_t mask;
  uint64_t value;
  int argument;
  int width;
};

bool is_shuffle(WarpOp op);

// Lane whose value `lane` receives from a shuffle; its own where the shuffle leaves the segment.
int source_lane(const WarpCall& call, int lane);

// Result of everything but shuffles for one lane, from the calls of all lanes (those outside the
// mask are ignored).
uint64_t combine(const WarpCall* const calls[32], int lane);

}  // namespace ditto::emulation
