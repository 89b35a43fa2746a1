// Normalize: (v - mean) / std for every channel of an image in [0, 1]. Not random.
//
// Lost: nothing.
#pragma once

#include "data/transform.h"

namespace ditto::data {

class Normalize : public Augment {
 public:
  // One mean and one positive std per channel. draw() throws when the image has other channels.
  Normalize(std::vector<float> mean, std::vector<float> std);
  Transform draw(Rng& rng, const ImageInfo& info) const override;

 private:
  std::vector<float> mean_, std_;
};

}  // namespace ditto::data
