// RandomTranslate: moves the image by whole pixels; what comes in is the fill colour (the papers'
// psi_translate, which is exact on pixels).
//
// Lost: what leaves the canvas.
#pragma once

#include "data/transform.h"

namespace ditto::data {

class RandomTranslate : public Augment {
 public:
  // Shifts of x and y, each uniform over the whole pixels of [-part x size, part x size]; parts in
  // [0, 1].
  explicit RandomTranslate(double part_x, double part_y);
  Transform draw(Rng& rng, const ImageInfo& info) const override;

 private:
  double part_x_, part_y_;
};

}  // namespace ditto::data
