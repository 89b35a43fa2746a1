// RandomFlip: mirrors the image left-right (x -> W - x) and, or, upside down (y -> H - y).
//
// Lost: nothing.
#pragma once

#include "data/transform.h"

namespace ditto::data {

class RandomFlip : public Augment {
 public:
  // Probability of each, in [0, 1].
  explicit RandomFlip(double horizontal = 0.5, double vertical = 0.0);
  Transform draw(Rng& rng, const ImageInfo& info) const override;

 private:
  double horizontal_, vertical_;
};

}  // namespace ditto::data
