#include "tests/cuda_emulation/warp.h"

#include <algorithm>

namespace ditto::emulation {
namespace {

template <class Combine>
uint64_t reduce(const WarpCall* const calls[32], uint32_t mask, Combine combine) {
  bool first = true;
  uint64_t result = 0;
  for (int lane = 0; lane < 32; ++lane) {
    if (!(mask >> lane & 1)) continue;
    result = first ? calls[lane]->value : combine(result, calls[lane]->value);
    first = false;
  }
  return result;
}

uint32_t lanes_with(const WarpCall* const calls[32], uint32_t mask, uint64_t value) {
  uint32_t lanes = 0;
  for (int lane = 0; lane < 32; ++lane)
    if ((mask >> lane & 1) && calls[lane]->value == value) lanes |= uint32_t{1} << lane;
  return lanes;
}

}  // namespace

const char* name(WarpOp op) {
  switch (op) {
    case WarpOp::kSync:
      return "__syncwarp";
    case WarpOp::kShuffle:
      return "__shfl_sync";
    case WarpOp::kShuffleUp:
      return "__shfl_up_sync";
    case WarpOp::kShuffleDown:
      return "__shfl_down_sync";
    case WarpOp::kShuffleXor:
      return "__shfl_xor_sync";
    case WarpOp::kBallot:
      return "__ballot_sync";
    case WarpOp::kAll:
      return "__all_sync";
    case WarpOp::kAny:
      return "__any_sync";
    case WarpOp::kMatchAny:
      return "__match_any_sync";
    case WarpOp::kMatchAll:
      return "__match_all_sync";
    case WarpOp::kReduceAdd:
      return "__reduce_add_sync";
    case WarpOp::kReduceMin:
    case WarpOp::kReduceMinSigned:
      return "__reduce_min_sync";
    case WarpOp::kReduceMax:
    case WarpOp::kReduceMaxSigned:
      return "__reduce_max_sync";
    case WarpOp::kReduceAnd:
      return "__reduce_and_sync";
    case WarpOp::kReduceOr:
      return "__reduce_or_sync";
    case WarpOp::kReduceXor:
      return "__reduce_xor_sync";
  }
  return "?";
}

bool is_shuffle(WarpOp op) { return op >= WarpOp::kShuffle && op <= WarpOp::kShuffleXor; }

int source_lane(const WarpCall& call, int lane) {
  const int begin = lane & ~(call.width - 1);
  const int end = begin + call.width;
  const int distance = call.argument & 31;  // the hardware sees five bits
  int source = lane;
  switch (call.op) {
    case WarpOp::kShuffle:
      return begin | (call.argument & (call.width - 1));
    case WarpOp::kShuffleUp:
      source = lane - distance;
      break;
    case WarpOp::kShuffleDown:
      source = lane + distance;
      break;
    default:
      source = lane ^ distance;
  }
  // xor may read from segments before this one, never from later ones.
  const bool outside = source >= end || (call.op != WarpOp::kShuffleXor && source < begin);
  return outside ? lane : source;
}

uint64_t combine(const WarpCall* const calls[32], int lane) {
  const WarpCall& mine = *calls[lane];
  const uint32_t mask = mine.mask;
  using Signed = int64_t;
  switch (mine.op) {
    case WarpOp::kBallot:
      return mask & ~lanes_with(calls, mask, 0);
    case WarpOp::kAll:
      return lanes_with(calls, mask, 0) == 0;
    case WarpOp::kAny:
      return lanes_with(calls, mask, 0) != mask;
    case WarpOp::kMatchAny:
      return lanes_with(calls, mask, mine.value);
    case WarpOp::kMatchAll:
      return lanes_with(calls, mask, mine.value) == mask ? mask : 0;
    case WarpOp::kReduceAdd:
      return reduce(calls, mask, [](auto a, auto b) { return a + b; });
    case WarpOp::kReduceMin:
      return reduce(calls, mask, [](auto a, auto b) { return std::min(a, b); });
    case WarpOp::kReduceMax:
      return reduce(calls, mask, [](auto a, auto b) { return std::max(a, b); });
    case WarpOp::kReduceMinSigned:
      return reduce(calls, mask, [](auto a, auto b) { return Signed(a) < Signed(b) ? a : b; });
    case WarpOp::kReduceMaxSigned:
      return reduce(calls, mask, [](auto a, auto b) { return Signed(a) > Signed(b) ? a : b; });
    case WarpOp::kReduceAnd:
      return reduce(calls, mask, [](auto a, auto b) { return a & b; });
    case WarpOp::kReduceOr:
      return reduce(calls, mask, [](auto a, auto b) { return a | b; });
    case WarpOp::kReduceXor:
      return reduce(calls, mask, [](auto a, auto b) { return a ^ b; });
    default:
      return 0;
  }
}

}  // namespace ditto::emulation
