#include "data/transforms/center_crop.h"

namespace ditto::data {
namespace {

// torchvision's rounding: half a pixel goes to the even neighbour, and padding to the right.
double start(int size, int window) {
  return window > size ? -((window - size) / 2) : std::nearbyint(0.5 * (size - window));
}

}  // namespace

CenterCrop::CenterCrop(int width, int height) : width_(width), height_(height) {
  check(width >= 1 && height >= 1, "[center_crop] the size must be at least 1 x 1, got", width,
        height);
}

Transform CenterCrop::draw(Rng&, const ImageInfo& info) const {
  const Affine map = Affine::translation(-start(info.width, width_), -start(info.height, height_));
  return Transform::geometric(info, map, width_, height_);
}

}  // namespace ditto::data
