// ScaleJitter: the image at a random size on a fixed canvas, of which it fills a part or shows a
// part (large-scale jittering).
//
// Source: Ghiasi et al., "Simple copy-paste is a strong data augmentation method for instance
// segmentation", CVPR 2021. Lost: pixels are blended, and what does not fit is cut.
#pragma once

#include "data/transform.h"

namespace ditto::data {

struct ScaleJitterOptions {
  // Size of the image in units of the one at which it just fits the canvas; uniform in [low, high].
  double low = 0.1, high = 2;
  // Where an image lies that is smaller than the canvas: anywhere, or in the upper left corner. One
  // that is larger shows a random window.
  bool random_place = false;

  static ScaleJitterOptions large() { return {}; }
  static ScaleJitterOptions standard() { return {.low = 0.8, .high = 1.25}; }
};

class ScaleJitter : public Augment {
 public:
  ScaleJitter(int width, int height, const ScaleJitterOptions& options = {});
  // Both sides are rounded to whole pixels; the map of each axis is the one of its real new size.
  Transform draw(Rng& rng, const ImageInfo& info) const override;

 private:
  int width_, height_;
  ScaleJitterOptions options_;
};

}  // namespace ditto::data
