// RandomSolarize: turns the bright values of some images round, v -> 1 - v from a threshold on.
//
// Lost: the colours; coordinates stay. For images in [0, 1]: stands before the normalisation.
#pragma once

#include "data/transform.h"

namespace ditto::data {

class RandomSolarize : public Augment {
 public:
  // threshold and probability in [0, 1].
  explicit RandomSolarize(double threshold = 0.5, double probability = 0.5);
  Transform draw(Rng& rng, const ImageInfo& info) const override;

 private:
  double threshold_, probability_;
};

}  // namespace ditto::data
