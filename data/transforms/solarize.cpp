#include "data/transforms/solarize.h"

namespace ditto::data {

RandomSolarize::RandomSolarize(double threshold, double probability)
    : threshold_(threshold), probability_(probability) {
  check(threshold >= 0 && threshold <= 1 && probability >= 0 && probability <= 1,
        "[random_solarize] threshold and probability in [0, 1], got", threshold, probability);
}

Transform RandomSolarize::draw(Rng& rng, const ImageInfo& info) const {
  if (!rng.chance(probability_)) return Transform(info);
  return Transform::colour(
      info, {.kind = kernels::ColourKind::Solarize, .factor = static_cast<float>(threshold_)});
}

}  // namespace ditto::data
