#include "data/transforms/translate.h"

namespace ditto::data {

RandomTranslate::RandomTranslate(double part_x, double part_y) : part_x_(part_x), part_y_(part_y) {
  check(part_x >= 0 && part_x <= 1 && part_y >= 0 && part_y <= 1,
        "[random_translate] parts in [0, 1], got", part_x, part_y);
}

Transform RandomTranslate::draw(Rng& rng, const ImageInfo& info) const {
  const auto shift = [&rng](double part, int size) {
    const auto most = static_cast<int64_t>(part * size);
    return static_cast<double>(
        static_cast<int64_t>(rng.below(static_cast<uint64_t>(2 * most + 1))) - most);
  };
  const double x = shift(part_x_, info.width), y = shift(part_y_, info.height);
  return Transform::geometric(info, Affine::translation(x, y), info.width, info.height);
}

}  // namespace ditto::data
