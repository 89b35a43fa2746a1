#include "data/transforms/grayscale.h"

namespace ditto::data {

RandomGrayscale::RandomGrayscale(double probability) : probability_(probability) {
  check(probability >= 0 && probability <= 1, "[random_grayscale] probability in [0, 1], got",
        probability);
}

Transform RandomGrayscale::draw(Rng& rng, const ImageInfo& info) const {
  if (!rng.chance(probability_)) return Transform(info);
  return Transform::colour(info, {.kind = kernels::ColourKind::Saturation, .factor = 0});
}

}  // namespace ditto::data
