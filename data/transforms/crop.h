// RandomCrop: pads the image with the fill colour and cuts a random window out of it.
#pragma once

#include "data/transform.h"

namespace ditto::data {

class RandomCrop : public Augment {
 public:
  // `padding` pixels on every side; the window has the image's own size, or width x height. Its
  // place is uniform over all whole-pixel places. draw() throws when the window does not fit.
  explicit RandomCrop(int padding, int width = 0, int height = 0);
  Transform draw(Rng& rng, const ImageInfo& info) const override;

 private:
  int padding_, width_, height_;
};

}  // namespace ditto::data
