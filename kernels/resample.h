// Antialiased resampling of an upright area of an image, as torchvision's resize with
// antialias=True: a triangle filter, as wide as an output pixel where the image shrinks.
#pragma once

#include <cstdint>
#include <vector>

#include "core/frame.h"

namespace ditto::kernels {

// The taps of every output index along one axis: source indices first[i] ... first[i] + count[i]
// with weights that sum to 1.
class ResampleAxis {
 public:
  // Output i shows the source at scale * (i + 0.5) + shift, as NearestLookup finds it for masks;
  // outputs [begin(), end()) show it inside [low, high). Only source pixels with their centre there
  // are read, as of an image that was cut before.
  void plan(double scale, double shift, double low, double high, int64_t in_size, int64_t out_size);
  int64_t begin() const { return begin_; }
  int64_t end() const { return end_; }
  int64_t first(int64_t i) const { return first_[static_cast<size_t>(i)]; }
  int64_t count(int64_t i) const { return count_[static_cast<size_t>(i)]; }
  const float* weights(int64_t i) const {
    return weights_.data() + static_cast<size_t>(i) * stride_;
  }

 private:
  int64_t begin_ = 0, end_ = 0;
  std::vector<int32_t> first_, count_;
  std::vector<float> weights_;
  size_t stride_ = 0;
};

}  // namespace ditto::kernels
