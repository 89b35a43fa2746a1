#include "data/transforms/resize.h"

namespace ditto::data {

Resize::Resize(int side) : width_(side), height_(0) {
  check(side >= 1, "[resize] the side must be at least 1, got", side);
}

Resize::Resize(int width, int height) : width_(width), height_(height) {
  check(width >= 1 && height >= 1, "[resize] the size must be at least 1 x 1, got", width, height);
}

Transform Resize::draw(Rng&, const ImageInfo& info) const {
  int width = width_, height = height_;
  if (height_ == 0) {
    const int64_t shorter = std::min(info.width, info.height);
    width = static_cast<int>(int64_t{width_} * info.width / shorter);
    height = static_cast<int>(int64_t{width_} * info.height / shorter);
  }
  return Transform::resized(info, {0, 0, double(info.width), double(info.height)}, width, height);
}

}  // namespace ditto::data
