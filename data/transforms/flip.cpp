#include "data/transforms/flip.h"

namespace ditto::data {

RandomFlip::RandomFlip(double horizontal, double vertical)
    : horizontal_(horizontal), vertical_(vertical) {
  check(horizontal >= 0 && horizontal <= 1 && vertical >= 0 && vertical <= 1,
        "[random_flip] probabilities must be in [0, 1], got", horizontal, vertical);
}

Transform RandomFlip::draw(Rng& rng, const ImageInfo& info) const {
  Affine map;
  if (rng.chance(horizontal_)) map.a = -1, map.c = info.width;
  if (rng.chance(vertical_)) map.e = -1, map.f = info.height;
  return Transform::geometric(info, map, info.width, info.height);
}

}  // namespace ditto::data
