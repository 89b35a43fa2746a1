// NetworkInput: the resizing and padding that a detector does to its input, as the last part of the
// chain, so that what it predicts comes back by the same record as everything else
// (detection.md 1.3). Not random.
//
// Lost: pixels are blended. Stands behind the normalisation or before it: the padding is the fill
// colour, which for data sets is the mean and normalises to 0.
#pragma once

#include "data/transform.h"

namespace ditto::data {

struct NetworkInputOptions {
  int shorter = 800;   // pixels of the shorter side, unless
  int longest = 1333;  // the longer one would get more than this
  // The canvas: the next multiples of `divisor`, or always the same size (0: as large as it takes).
  int divisor = 32;
  int width = 0, height = 0;
  // torchvision's sizes instead of rounded ones: scale in float, then cut to whole pixels. One
  // pixel less for about half of all sizes; for comparisons.
  bool floor_f32 = false;
};

class NetworkInput : public Augment {
 public:
  explicit NetworkInput(const NetworkInputOptions& options);
  // The image lies in the upper left corner. Throws when it does not fit a fixed canvas.
  Transform draw(Rng& rng, const ImageInfo& info) const override;

 private:
  NetworkInputOptions options_;
};

}  // namespace ditto::data
