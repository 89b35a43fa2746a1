// RandomResizedCrop: a random part of the image, brought to a fixed size.
//
// Source: Szegedy et al., "Going deeper with convolutions", CVPR 2015, in torchvision's form.
//
// Lost: pixels are blended, and what lies beside the part is cut.
#pragma once

#include "data/transform.h"

namespace ditto::data {

struct ResizedCropOptions {
  double scale_low = 0.08;  // part of the image's area, uniform in [scale_low, scale_high]
  double scale_high = 1;
  double ratio_low = 3.0 / 4;  // width / height; its logarithm is uniform
  double ratio_high = 4.0 / 3;
};

class RandomResizedCrop : public Augment {
 public:
  RandomResizedCrop(int width, int height, const ResizedCropOptions& options = {});
  // After ten sizes that do not fit: the middle of the image, as large as the ratio allows.
  Transform draw(Rng& rng, const ImageInfo& info) const override;

 private:
  int width_, height_;
  ResizedCropOptions options_;
};

}  // namespace ditto::data
