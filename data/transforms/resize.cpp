#include "data/transforms/resize.h"

#include <cmath>

namespace ditto::data {

Resize::Resize(int side) : width_(side), height_(0) {
  check(side >= 1, "[resize] the side must be at least 1, got", side);
}

Resize::Resize(int width, int height) : width_(width), height_(height) {
  check(width >= 1 && height >= 1, "[resize] the size must be at least 1 x 1, got", width, height);
}

Resize Resize::shorter_side(int side, int longest) {
  Resize out(side);
  check(longest >= side, "[resize] the longest side must be at least", side, "got", longest);
  out.longest_ = longest;
  return out;
}

ImageSize fit_sides(const ImageInfo& info, double side, double longest) {
  const double shorter = std::min(info.width, info.height);
  const double longer = std::max(info.width, info.height);
  const double scale = std::min(side / shorter, longest / longer);
  const auto scaled = [scale](int size) {
    const double out = std::round(size * scale);
    check(out <= 1 << 24, "[resize] a side of", out, "pixels");
    return std::max(1, static_cast<int>(out));
  };
  return {scaled(info.width), scaled(info.height)};
}

Transform Resize::draw(Rng&, const ImageInfo& info) const {
  int width = width_, height = height_;
  if (longest_ > 0) {
    const ImageSize size = fit_sides(info, width_, longest_);
    width = size.width, height = size.height;
  } else if (height_ == 0) {
    const int64_t shorter = std::min(info.width, info.height);
    width = static_cast<int>(int64_t{width_} * info.width / shorter);
    height = static_cast<int>(int64_t{width_} * info.height / shorter);
  }
  return Transform::resized(info, {0, 0, double(info.width), double(info.height)}, width, height);
}

}  // namespace ditto::data
