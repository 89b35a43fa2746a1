#include "data/transforms/color_jitter.h"

#include <array>

namespace ditto::data {

ColorJitter::ColorJitter(const JitterOptions& options) : options_(options) {
  check(options.brightness >= 0 && options.contrast >= 0 && options.saturation >= 0,
        "[color_jitter] brightness, contrast and saturation must not be negative, got",
        options.brightness, options.contrast, options.saturation);
  check(options.hue >= 0 && options.hue <= 0.5, "[color_jitter] hue in [0, 0.5], got", options.hue);
  check(options.probability >= 0 && options.probability <= 1,
        "[color_jitter] probability in [0, 1], got", options.probability);
}

Transform ColorJitter::draw(Rng& rng, const ImageInfo& info) const {
  using kernels::ColourKind;
  Transform out(info);
  if (!rng.chance(options_.probability)) return out;
  std::array order = {ColourKind::Brightness, ColourKind::Contrast, ColourKind::Saturation,
                      ColourKind::Hue};
  rng.shuffle(std::span<ColourKind>(order));
  for (const ColourKind kind : order) {
    const double amount = kind == ColourKind::Brightness   ? options_.brightness
                          : kind == ColourKind::Contrast   ? options_.contrast
                          : kind == ColourKind::Saturation ? options_.saturation
                                                           : options_.hue;
    if (amount == 0) continue;
    const double factor = kind == ColourKind::Hue
                              ? rng.uniform(-amount, amount)
                              : rng.uniform(std::max(0.0, 1 - amount), 1 + amount);
    out.append(Transform::colour(info, {.kind = kind, .factor = static_cast<float>(factor)}));
  }
  return out;
}

}  // namespace ditto::data
