// Pad: a margin of the fill colour around the image. Not random.
//
// Lost: nothing.
#pragma once

#include "data/transform.h"

namespace ditto::data {

// Pixels on each side.
struct Margins {
  int left = 0, top = 0, right = 0, bottom = 0;
};

class Pad : public Augment {
 public:
  explicit Pad(const Margins& margins);
  // On the right and at the bottom, until both sides are multiples of `divisor`.
  static Pad to_multiple(int divisor);
  Transform draw(Rng& rng, const ImageInfo& info) const override;

 private:
  Margins margins_;
  int divisor_ = 1;
};

}  // namespace ditto::data
