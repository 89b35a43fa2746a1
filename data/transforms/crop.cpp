#include "data/transforms/crop.h"

namespace ditto::data {

FixedCrop::FixedCrop(int x, int y, int width, int height)
    : x_(x), y_(y), width_(width), height_(height) {
  check(width >= 1 && height >= 1, "[fixed_crop] the size must be at least 1 x 1, got", width,
        height);
}

Transform FixedCrop::draw(Rng&, const ImageInfo& info) const {
  return Transform::geometric(info, Affine::translation(-x_, -y_), width_, height_);
}

RandomCrop::RandomCrop(int padding, int width, int height)
    : padding_(padding), width_(width), height_(height) {
  check(padding >= 0 && width >= 0 && height >= 0,
        "[random_crop] padding and size must not be negative, got", padding, width, height);
}

Transform RandomCrop::draw(Rng& rng, const ImageInfo& info) const {
  const int width = width_ > 0 ? width_ : info.width, height = height_ > 0 ? height_ : info.height;
  const int free_x = info.width + 2 * padding_ - width;
  const int free_y = info.height + 2 * padding_ - height;
  check(free_x >= 0 && free_y >= 0, "[random_crop] a window of", width, "x", height,
        "does not fit an image of", info.width, "x", info.height, "with padding", padding_);
  const auto left = static_cast<double>(rng.below(static_cast<uint64_t>(free_x) + 1)) - padding_;
  const auto top = static_cast<double>(rng.below(static_cast<uint64_t>(free_y) + 1)) - padding_;
  return Transform::geometric(info, Affine::translation(-left, -top), width, height);
}

}  // namespace ditto::data
