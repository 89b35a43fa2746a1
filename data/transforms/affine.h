// RandomAffine: rotation, scaling, shear and translation about the centre of the image.
#pragma once

#include "data/transform.h"

namespace ditto::data {

struct AffineOptions {
  double degrees = 0;    // rotation, uniform in [-degrees, degrees]
  double translate = 0;  // shift of each axis, uniform in [-translate, translate] x its size
  double scale_low = 1;  // factor, uniform in [scale_low, scale_high]; > 1 magnifies
  double scale_high = 1;
  double shear = 0;  // degrees along x, uniform in [-shear, shear]

  bool enabled() const {
    return degrees != 0 || translate != 0 || scale_low != 1 || scale_high != 1 || shear != 0;
  }
};

// The canvas keeps the image's size. A point is sheared first, then scaled, rotated and moved.
class RandomAffine : public Augment {
 public:
  explicit RandomAffine(const AffineOptions& options);
  Transform draw(Rng& rng, const ImageInfo& info) const override;

 private:
  AffineOptions options_;
};

}  // namespace ditto::data
