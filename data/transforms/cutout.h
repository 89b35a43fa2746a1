// Cutout: paints a square of the image with the fill colour.
//
// Source: DeVries and Taylor, "Improved regularization of convolutional neural networks with
// cutout", 2017: the centre is uniform over the pixels, and the square is cut at the border.
//
// Lost: the square's pixels.
#pragma once

#include "data/transform.h"

namespace ditto::data {

class Cutout : public Augment {
 public:
  // Side of the square in pixels, at least 1.
  explicit Cutout(int side);
  Transform draw(Rng& rng, const ImageInfo& info) const override;

 private:
  int side_;
};

}  // namespace ditto::data
