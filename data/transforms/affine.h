// RandomAffine: rotation, scaling, shear and translation about the centre of the image.
//
// Lost: pixels are blended, and what leaves the canvas is cut. Boxes come back exactly through
// core/box_map.h, with errors that grow with the angle.
#pragma once

#include "data/transform.h"

namespace ditto::data {

struct AffineOptions {
  double degrees = 0;    // rotation, uniform in [-degrees, degrees]
  double translate = 0;  // shift of each axis, uniform in [-translate, translate] x its size
  double scale_low = 1;  // factor, uniform in [scale_low, scale_high]; > 1 magnifies
  double scale_high = 1;
  double shear = 0;    // degrees along x, uniform in [-shear, shear]
  double shear_y = 0;  // the same along y

  bool enabled() const {
    return degrees != 0 || translate != 0 || scale_low != 1 || scale_high != 1 || shear != 0 ||
           shear_y != 0;
  }
};

// Throws "[random_affine] ..." when the options allow a map that brings boxes back with errors
// above kLossHullCondition (core/box_map.h): what a loss on boxes that came back (LossTransform)
// needs. Without shear, these are rotations above 15 degrees.
void check_boxes_come_back(const AffineOptions& options);

// The canvas keeps the image's size. A point is sheared along x first, then along y, scaled,
// rotated and moved.
class RandomAffine : public Augment {
 public:
  explicit RandomAffine(const AffineOptions& options);
  Transform draw(Rng& rng, const ImageInfo& info) const override;

 private:
  AffineOptions options_;
};

}  // namespace ditto::data
