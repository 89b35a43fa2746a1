#include "data/transforms/affine.h"

#include <cmath>
#include <numbers>

namespace ditto::data {

RandomAffine::RandomAffine(const AffineOptions& options) : options_(options) {
  check(options.degrees >= 0 && options.degrees <= 180, "[random_affine] degrees in [0, 180], got",
        options.degrees);
  check(options.translate >= 0 && options.translate <= 1,
        "[random_affine] translate in [0, 1], got", options.translate);
  check(options.scale_low > 0 && options.scale_low <= options.scale_high &&
            options.scale_high <= 1000,
        "[random_affine] 0 < scale_low <= scale_high <= 1000, got", options.scale_low,
        options.scale_high);
  check(options.shear >= 0 && options.shear < 90, "[random_affine] shear in [0, 90), got",
        options.shear);
}

Transform RandomAffine::draw(Rng& rng, const ImageInfo& info) const {
  constexpr double kRadians = std::numbers::pi / 180;
  const AffineOptions& o = options_;
  const double angle = rng.uniform(-o.degrees, o.degrees) * kRadians;
  const double scale = rng.uniform(o.scale_low, o.scale_high);
  const double shear = std::tan(rng.uniform(-o.shear, o.shear) * kRadians);
  const double move_x = rng.uniform(-o.translate, o.translate) * info.width;
  const double move_y = rng.uniform(-o.translate, o.translate) * info.height;
  const double centre_x = 0.5 * info.width, centre_y = 0.5 * info.height;
  const Affine map = Affine::translation(-centre_x, -centre_y)
                         .then(Affine{1, shear, 0, 0, 1, 0})
                         .then(Affine::scaling(scale, scale))
                         .then(Affine::rotation(angle))
                         .then(Affine::translation(centre_x + move_x, centre_y + move_y));
  return Transform::geometric(info, map, info.width, info.height);
}

}  // namespace ditto::data
