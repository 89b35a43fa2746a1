// ColorJitter: random brightness, contrast, saturation and hue, in random order, as torchvision's
// class of that name; and grey images.
//
// Lost: the colours; coordinates stay.
#pragma once

#include "data/transform.h"

namespace ditto::data {

struct JitterOptions {
  double brightness = 0;   // factor, uniform in [max(0, 1 - b), 1 + b]
  double contrast = 0;     // the same
  double saturation = 0;   // the same
  double hue = 0;          // turn, uniform in [-h, h], h at most 1/2
  double probability = 1;  // that the image is changed at all

  bool enabled() const {
    return (brightness > 0 || contrast > 0 || saturation > 0 || hue > 0) && probability > 0;
  }
};

// For images in [0, 1]: stands before the normalisation.
class ColorJitter : public Augment {
 public:
  explicit ColorJitter(const JitterOptions& options);
  Transform draw(Rng& rng, const ImageInfo& info) const override;

 private:
  JitterOptions options_;
};

}  // namespace ditto::data
