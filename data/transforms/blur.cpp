#include "data/transforms/blur.h"

#include <cmath>

#include "kernels/blur.h"

namespace ditto::data {

RandomBlur::RandomBlur(const BlurOptions& options) : options_(options) {
  check(options.low >= 0.01 && options.low <= options.high && options.high <= 100,
        "[random_blur] 0.01 <= low <= high <= 100, got", options.low, options.high);
  check(options.radius >= 0 && options.radius <= kernels::kMaxBlurRadius,
        "[random_blur] radius in [0,", kernels::kMaxBlurRadius, "], got", options.radius);
  check(options.probability >= 0 && options.probability <= 1,
        "[random_blur] probability in [0, 1], got", options.probability);
}

Transform RandomBlur::draw(Rng& rng, const ImageInfo& info) const {
  if (!rng.chance(options_.probability)) return Transform(info);
  const double sigma = rng.uniform(options_.low, options_.high);
  const int radius = options_.radius > 0 ? options_.radius : static_cast<int>(std::ceil(3 * sigma));
  return Transform::colour(info, kernels::blur_change(sigma, radius));
}

}  // namespace ditto::data
