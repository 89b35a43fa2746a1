#include "data/transforms/normalize.h"

namespace ditto::data {

Normalize::Normalize(std::vector<float> mean, std::vector<float> std)
    : mean_(std::move(mean)), std_(std::move(std)) {
  check(mean_.size() == std_.size(), "[normalize]", mean_.size(), "means but", std_.size(), "stds");
  for (const float value : std_) check(value > 0, "[normalize] std must be positive, got", value);
}

Transform Normalize::draw(Rng&, const ImageInfo& info) const {
  check(static_cast<int>(mean_.size()) == info.channels, "[normalize] got statistics of",
        mean_.size(), "channels for an image with", info.channels);
  kernels::ChannelValues scale{1, 1, 1, 1}, offset{};
  for (size_t c = 0; c < mean_.size(); ++c) {
    scale[c] = 1 / std_[c];
    offset[c] = -mean_[c] / std_[c];
  }
  return Transform::channels(info, scale, offset);
}

}  // namespace ditto::data
