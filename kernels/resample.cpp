#include "kernels/resample.h"

#include <algorithm>
#include <cmath>

#include "kernels/augment_math.h"

namespace ditto::kernels {

void ResampleAxis::plan(double scale, double shift, double low, double high, int64_t in_size,
                        int64_t out_size) {
  low = std::max(low, 0.0), high = std::min(high, static_cast<double>(in_size));
  const Span pixels = centres_inside(low, high, in_size);
  const double radius = std::max(std::fabs(scale), 1.0);  // of the triangle, in source pixels
  const auto centre = [&](int64_t i) {
    return affine_coordinate(scale, 0, shift, static_cast<double>(i) + 0.5, 0);
  };
  const auto inside = [&](int64_t i) {
    return centre(i) >= low && centre(i) < high && pixels.begin < pixels.end;
  };
  begin_ = 0, end_ = out_size;
  while (begin_ < end_ && !inside(begin_)) ++begin_;
  while (end_ > begin_ && !inside(end_ - 1)) --end_;

  const auto from = static_cast<double>(pixels.begin), to = static_cast<double>(pixels.end);
  stride_ = static_cast<size_t>(std::min(2 * std::ceil(radius) + 1, to - from));
  const auto count = static_cast<size_t>(out_size);
  first_.resize(count), count_.resize(count), weights_.resize(count * stride_);
  for (int64_t i = begin_; i < end_; ++i) {
    const double middle = centre(i);
    const auto first = static_cast<int64_t>(std::max(from, std::floor(middle - radius + 0.5)));
    const auto last = static_cast<int64_t>(std::min(to, std::floor(middle + radius + 0.5)));
    float* weight = weights_.data() + static_cast<size_t>(i) * stride_;
    double sum = 0;
    for (int64_t j = first; j < last; ++j)
      sum += std::max(0.0, 1 - std::fabs(static_cast<double>(j) + 0.5 - middle) / radius);
    for (int64_t j = first; j < last; ++j)
      *weight++ = static_cast<float>(
          std::max(0.0, 1 - std::fabs(static_cast<double>(j) + 0.5 - middle) / radius) / sum);
    first_[static_cast<size_t>(i)] = static_cast<int32_t>(first);
    count_[static_cast<size_t>(i)] = static_cast<int32_t>(last - first);
  }
}

}  // namespace ditto::kernels
