// Picture: an RGB canvas for sheets of images: panels, boxes, tinted masks and lines.
#pragma once

#include <array>

#include "core/rle.h"
#include "core/tensor.h"

namespace ditto::apps {

using Colour = std::array<uint8_t, 3>;
// Colours that are told apart well; they repeat.
Colour distinct_colour(int64_t number);

class Picture {
 public:
  Picture(int width, int height, const Colour& background = {32, 32, 32});

  int width() const { return static_cast<int>(pixels_.dim(1)); }
  int height() const { return static_cast<int>(pixels_.dim(0)); }
  const Tensor& pixels() const { return pixels_; }  // (H, W, 3) u8

  // All coordinates are continuous, in pixels of the canvas; what lies outside is cut.
  // (h, w, C) u8 or f32 in [0, 1] with C = 1 or 3; `opacity` in [0, 1].
  void image(int x, int y, const Tensor& image, double opacity = 1);
  void box(const Rect& box, const Colour& colour, int thickness = 2);
  // Tints the mask's pixels, the mask's corner being at (x, y).
  void mask(int x, int y, const Rle& mask, const Colour& colour, double opacity = 0.45);
  void line(Point from, Point to, const Colour& colour, int thickness = 2);

 private:
  void blend(int x, int y, const Colour& colour, double opacity);

  Tensor pixels_;
};

}  // namespace ditto::apps
