#include "data/transforms/affine.h"

#include <cmath>
#include <numbers>

#include "core/box_map.h"

namespace ditto::data {
namespace {

constexpr double kRadians = std::numbers::pi / 180;

// Shear by these tangents, scaling and rotation, about the origin.
Affine linear_part(double shear_x, double shear_y, double scale, double angle) {
  return Affine{1, shear_x, 0, 0, 1, 0}
      .then(Affine{1, 0, 0, shear_y, 1, 0})
      .then(Affine::scaling(scale, scale))
      .then(Affine::rotation(angle));
}

}  // namespace

RandomAffine::RandomAffine(const AffineOptions& options) : options_(options) {
  check(options.degrees >= 0 && options.degrees <= 180, "[random_affine] degrees in [0, 180], got",
        options.degrees);
  check(options.translate >= 0 && options.translate <= 1,
        "[random_affine] translate in [0, 1], got", options.translate);
  check(options.scale_low > 0 && options.scale_low <= options.scale_high &&
            options.scale_high <= 1000,
        "[random_affine] 0 < scale_low <= scale_high <= 1000, got", options.scale_low,
        options.scale_high);
  check(options.shear >= 0 && options.shear < 90 && options.shear_y >= 0 && options.shear_y < 90,
        "[random_affine] shear in [0, 90), got", options.shear, options.shear_y);
}

void check_boxes_come_back(const AffineOptions& options) {
  // The condition grows with each of the three angles while they act the same way.
  constexpr int kSteps = 8;
  double worst = 1;
  for (int i = -kSteps; i <= kSteps; ++i)
    for (int j = -kSteps; j <= kSteps; ++j)
      for (int k = -kSteps; k <= kSteps; ++k) {
        const auto part = [](double limit, int step) { return limit * kRadians * step / kSteps; };
        const double condition = hull_condition(linear_part(std::tan(part(options.shear, i)),
                                                            std::tan(part(options.shear_y, j)), 1,
                                                            part(options.degrees, k)));
        worst = std::isnan(condition) ? INFINITY : std::max(worst, condition);
      }
  check(worst <= kLossHullCondition * (1 + 1e-9),
        "[random_affine] boxes do not come back well enough for a loss: rotation by up to",
        options.degrees, "degrees (at most 15), shear", options.shear, options.shear_y,
        ": errors grow by", worst);
}

Transform RandomAffine::draw(Rng& rng, const ImageInfo& info) const {
  const AffineOptions& o = options_;
  const double angle = rng.uniform(-o.degrees, o.degrees) * kRadians;
  const double scale = rng.uniform(o.scale_low, o.scale_high);
  const double shear = std::tan(rng.uniform(-o.shear, o.shear) * kRadians);
  const double move_x = rng.uniform(-o.translate, o.translate) * info.width;
  const double move_y = rng.uniform(-o.translate, o.translate) * info.height;
  const double shear_y =  // no number is drawn for a switch that is off
      o.shear_y == 0 ? 0.0 : std::tan(rng.uniform(-o.shear_y, o.shear_y) * kRadians);
  const double centre_x = 0.5 * info.width, centre_y = 0.5 * info.height;
  const Affine map = Affine::translation(-centre_x, -centre_y)
                         .then(linear_part(shear, shear_y, scale, angle))
                         .then(Affine::translation(centre_x + move_x, centre_y + move_y));
  return Transform::geometric(info, map, info.width, info.height);
}

}  // namespace ditto::data
