// What the CPU's augmentation makes lines of pixels with: vectors of channels, and the scale,
// offset and fill of a row laid out like its pixels.
#pragma once

#include <cstring>
#include <vector>

#include "kernels/augment.h"

namespace ditto::kernels {

// scale, offset and painted fill of a row of pixels, laid out like the pixels themselves: the
// conversion loop is then one multiply-add per element, whatever the number of channels.
class Pattern {
 public:
  Pattern(int64_t width, int64_t channels)
      : width_(width), channels_(channels), values_(static_cast<size_t>(3 * width * channels)) {}

  // `unit` is what one step of the source's dtype is worth.
  void prepare(const AugmentRow& row, double unit) {
    if (unit == unit_ && row.scale == scale_ && row.offset == offset_ && row.fill == fill_) return;
    scale_ = row.scale, offset_ = row.offset, fill_ = row.fill, unit_ = unit;
    const int64_t n = width_ * channels_;
    for (int64_t i = 0; i < n; ++i) {
      const size_t c = static_cast<size_t>(i % channels_);
      values_[i] = static_cast<float>(scale_[c] * unit);
      values_[n + i] = offset_[c];
      // In double: a fill of mean and an offset of -mean / std meet in (nearly) zero.
      values_[2 * n + i] = static_cast<float>(double{scale_[c]} * fill_[c] + offset_[c]);
    }
  }
  const float* scale() const { return values_.data(); }
  const float* offset() const { return values_.data() + width_ * channels_; }
  const float* fill() const { return values_.data() + 2 * width_ * channels_; }

 private:
  int64_t width_, channels_;
  std::vector<float> values_;
  ChannelValues scale_{}, offset_{}, fill_{};
  double unit_ = 0;  // 0: not prepared yet
};

// A vector of floats (one AVX or SSE register for eight or four of them).
template <int L>
using Lanes [[gnu::vector_size(L * sizeof(float))]] = float;

template <int L>
Lanes<L> load(const float* from) {
  Lanes<L> lanes;
  std::memcpy(&lanes, from, sizeof(lanes));
  return lanes;
}

// Pixels of 2 to 4 channels are sampled as vectors of four.
template <int C>
constexpr int kLanes = C == 1 ? 1 : 4;

}  // namespace ditto::kernels
