// Sizes of a pooling, checked, and which pixels a window covers; for the kernels of both devices.
#pragma once

#include "kernels/host_device.h"
#include "kernels/pool2d.h"

namespace ditto::kernels {

struct Pool {
  int64_t n, h, w, c, oh, ow;
  int64_t kernel, stride, padding;
  bool count_include_pad;
};

// A range [begin, end) along one axis.
struct PoolRange {
  int64_t begin, end;
  HD int64_t size() const { return end - begin; }
};

// The pixels, of `length`, that window number `out` covers.
HD PoolRange pixels_of(const Pool& s, int64_t out, int64_t length) {
  const int64_t begin = out * s.stride - s.padding, end = begin + s.kernel;
  return {begin > 0 ? begin : 0, end < length ? end : length};
}

// The windows, of `count`, that cover pixel number `in`.
HD PoolRange windows_of(const Pool& s, int64_t in, int64_t count) {
  const int64_t past_first = in + s.padding - s.kernel;  // the last pixel that is too early
  const int64_t end = (in + s.padding) / s.stride + 1;
  return {past_first < 0 ? 0 : past_first / s.stride + 1, end < count ? end : count};
}

// What the sum over window (oh, ow) is divided by.
HD double divisor(const Pool& s, int64_t oh, int64_t ow) {
  if (s.count_include_pad) return static_cast<double>(s.kernel * s.kernel);
  return static_cast<double>(pixels_of(s, oh, s.h).size() * pixels_of(s, ow, s.w).size());
}

// These throw "[pool2d] ..." unless all views are on `type` and fit together.
Pool checked_pool(const View& x, const View& y, const Pool2dParams& p, DeviceType type);
void check_pool_index(const View& index, const View& y, const Pool& s);
void check_global_pool(const View& x, const View& y, DeviceType type);

}  // namespace ditto::kernels
