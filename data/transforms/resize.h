// Resize: the whole image at another size, averaging where it shrinks. Not random.
//
// Lost: pixels are blended; nothing is cut.
#pragma once

#include "data/transform.h"

namespace ditto::data {

struct ImageSize {
  int width = 0, height = 0;
};
// The size of an image of which both sides are scaled by min(side / shorter, longest / longer), in
// double, rounded, at least 1.
ImageSize fit_sides(const ImageInfo& info, double side, double longest);

class Resize : public Augment {
 public:
  // The shorter side gets `side` pixels, the longer one in proportion (rounded down).
  explicit Resize(int side);
  // The shorter side gets `side` pixels, unless the longer one would then get more than `longest`,
  // which it gets in that case; both sides rounded to the nearest (detection.md 1.3).
  static Resize shorter_side(int side, int longest);
  // Exactly width x height.
  Resize(int width, int height);
  Transform draw(Rng& rng, const ImageInfo& info) const override;

 private:
  int width_, height_;  // height 0: width_ is for the shorter side
  int longest_ = 0;     // 0: no limit
};

}  // namespace ditto::data
