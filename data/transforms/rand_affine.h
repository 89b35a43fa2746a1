// RandAffine: the geometric half of RandAugment: a few operations, each drawn from shear along x or
// y, translation along x or y, rotation, and nothing, all of one strength.
//
// Source: Cubuk et al., "RandAugment", 2020; ranges as in torchvision's class. Lost: as
// RandomAffine.
#pragma once

#include "data/transform.h"

namespace ditto::data {

struct RandAffineOptions {
  int operations = 2;
  // In [0, 1]: 1 is shear by 0.3, translation by 150 / 331 of the image's width (of its height
  // along y) in whole pixels, rotation by 30 degrees. Signs are random.
  double magnitude = 0.3;
  // Rotations and shears that would bring boxes back with errors above kLossHullCondition
  // (core/box_map.h) in the whole chain are drawn as nothing.
  bool boxes_come_back = false;
};

// The canvas keeps the image's size. Shear is about the upper left corner, rotation about the
// centre.
class RandAffine : public Augment {
 public:
  explicit RandAffine(const RandAffineOptions& options = {});
  Transform draw(Rng& rng, const ImageInfo& info) const override;

 private:
  RandAffineOptions options_;
};

}  // namespace ditto::data
