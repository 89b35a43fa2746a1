// FixedCrop: cuts a window out of the image. RandomCrop: pads the image with the fill colour and
// cuts a random window out of it.
//
// Lost: what lies beside the window; what the window shows beside the image is the fill colour.
#pragma once

#include "data/transform.h"

namespace ditto::data {

// Not random.
class FixedCrop : public Augment {
 public:
  // The window with its upper left corner at (x, y); it may reach beyond the image.
  FixedCrop(int x, int y, int width, int height);
  Transform draw(Rng& rng, const ImageInfo& info) const override;

 private:
  int x_, y_, width_, height_;
};

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
