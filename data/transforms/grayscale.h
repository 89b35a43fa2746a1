// RandomGrayscale: takes the colour out of some images; they keep their channels.
//
// Lost: the colours; coordinates stay.
#pragma once

#include "data/transform.h"

namespace ditto::data {

class RandomGrayscale : public Augment {
 public:
  explicit RandomGrayscale(double probability);
  Transform draw(Rng& rng, const ImageInfo& info) const override;

 private:
  double probability_;
};

}  // namespace ditto::data
