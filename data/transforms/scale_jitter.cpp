#include "data/transforms/scale_jitter.h"

#include <cmath>

namespace ditto::data {

ScaleJitter::ScaleJitter(int width, int height, const ScaleJitterOptions& options)
    : width_(width), height_(height), options_(options) {
  check(width >= 1 && height >= 1, "[scale_jitter] the canvas must be at least 1 x 1, got", width,
        height);
  check(options.low > 0 && options.low <= options.high && options.high <= 100,
        "[scale_jitter] 0 < low <= high <= 100, got", options.low, options.high);
}

Transform ScaleJitter::draw(Rng& rng, const ImageInfo& info) const {
  const double fit = std::min(double(width_) / info.width, double(height_) / info.height);
  const double scale = fit * rng.uniform(options_.low, options_.high);
  const auto scaled = [scale](int size) {
    return std::max(1, static_cast<int>(std::lround(size * scale)));
  };
  const int width = scaled(info.width), height = scaled(info.height);
  const auto place = [&](int image, int canvas) {
    if (image > canvas)
      return -static_cast<double>(rng.below(static_cast<uint64_t>(image - canvas) + 1));
    if (!options_.random_place) return 0.0;
    return static_cast<double>(rng.below(static_cast<uint64_t>(canvas - image) + 1));
  };
  const double x = place(width, width_), y = place(height, height_);
  Transform out =
      Transform::resized(info, {0, 0, double(info.width), double(info.height)}, width, height);
  out.append(Transform::geometric(out.canvas(), Affine::translation(x, y), width_, height_));
  return out;
}

}  // namespace ditto::data
