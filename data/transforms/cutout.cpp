#include "data/transforms/cutout.h"

namespace ditto::data {

Cutout::Cutout(int side) : side_(side) {
  check(side >= 1, "[cutout] side must be at least 1, got", side);
}

Transform Cutout::draw(Rng& rng, const ImageInfo& info) const {
  const auto left = static_cast<double>(rng.below(static_cast<uint64_t>(info.width))) - side_ / 2;
  const auto top = static_cast<double>(rng.below(static_cast<uint64_t>(info.height))) - side_ / 2;
  return Transform::erase(info, {left, top, left + side_, top + side_});
}

}  // namespace ditto::data
