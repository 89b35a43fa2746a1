// RandomBlur: Gaussian blur of some images, with a random standard deviation, as torchvision's
// GaussianBlur.
//
// Source: Chen et al., "A simple framework for contrastive learning of visual representations",
// 2020 (probability 0.5, standard deviation 0.1 to 2, kernel of a tenth of the image). Lost: the
// colours; coordinates stay. Stands behind the geometry: a blur is always carried out on the last
// canvas.
#pragma once

#include "data/transform.h"

namespace ditto::data {

struct BlurOptions {
  double low = 0.1, high = 2;  // standard deviation in pixels, uniform
  int radius = 0;              // the kernel is 2 radius + 1 wide; 0: three standard deviations
  double probability = 0.5;
};

class RandomBlur : public Augment {
 public:
  explicit RandomBlur(const BlurOptions& options = {});
  Transform draw(Rng& rng, const ImageInfo& info) const override;

 private:
  BlurOptions options_;
};

}  // namespace ditto::data
