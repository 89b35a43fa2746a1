// CenterCrop: cuts the middle out of the image; what a smaller image lacks is the fill colour. Not
// random.
//
// Lost: what lies beside the middle.
#pragma once

#include "data/transform.h"

namespace ditto::data {

class CenterCrop : public Augment {
 public:
  CenterCrop(int width, int height);
  Transform draw(Rng& rng, const ImageInfo& info) const override;

 private:
  int width_, height_;
};

}  // namespace ditto::data
