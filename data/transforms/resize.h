// Resize: the whole image at another size, averaging where it shrinks. Not random.
#pragma once

#include "data/transform.h"

namespace ditto::data {

class Resize : public Augment {
 public:
  // The shorter side gets `side` pixels, the longer one in proportion (rounded down).
  explicit Resize(int side);
  // Exactly width x height.
  Resize(int width, int height);
  Transform draw(Rng& rng, const ImageInfo& info) const override;

 private:
  int width_, height_;  // height 0: width_ is for the shorter side
};

}  // namespace ditto::data
