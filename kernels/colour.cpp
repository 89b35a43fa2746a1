#include "kernels/colour.h"

#include "core/error.h"
#include "kernels/blur.h"
#include "kernels/colour_math.h"

namespace ditto::kernels {
namespace {

// In double: a photograph has a million pixels.
float mean_grey(const float* pixels, int64_t count, int64_t channels) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += channels == 3 ? grey(pixels + 3 * i) : pixels[i];
  return static_cast<float>(sum / static_cast<double>(count));
}

void blend(float factor, float other, float* values, int64_t n) {
  const float rest = (1 - factor) * other;
  for (int64_t i = 0; i < n; ++i) values[i] = blended(factor, values[i], rest);
}

void scale_channels(const ColourChange& change, float* pixels, int64_t count, int64_t channels) {
  for (int64_t i = 0; i < count; ++i, pixels += channels)
    for (int64_t c = 0; c < channels; ++c) {
      const auto k = static_cast<size_t>(c);
      pixels[c] = change.scale[k] * pixels[c] + change.offset[k];
    }
}

}  // namespace

void change_colours(std::span<const ColourChange> changes, float* pixels, int64_t height,
                    int64_t width, int64_t channels, ChannelValues& fill) {
  const int64_t count = height * width;
  check(channels == 1 || channels == 3, "[change_colours] needs 1 or 3 channels, got", channels);
  for (const ColourChange& change : changes) {
    const float mean =
        change.kind == ColourKind::Contrast && count > 0 ? mean_grey(pixels, count, channels) : 0;
    const auto apply = [&](float* at, int64_t n) {
      switch (change.kind) {
        case ColourKind::Brightness:
        case ColourKind::Contrast:
          return blend(change.factor, mean, at, n * channels);
        case ColourKind::Saturation:
          for (int64_t i = 0; channels == 3 && i < n; ++i) saturate(change.factor, at + 3 * i);
          return;
        case ColourKind::Hue:
          for (int64_t i = 0; channels == 3 && i < n; ++i) turn_hue(change.factor, at + 3 * i);
          return;
        case ColourKind::Affine:
          return scale_channels(change, at, n, channels);
        case ColourKind::Solarize:
          for (int64_t i = 0; i < n * channels; ++i) at[i] = solarized(change.factor, at[i]);
          return;
        case ColourKind::Blur:
          if (at == pixels) blur(change, pixels, height, width, channels);
          return;
      }
    };
    apply(pixels, count);
    apply(fill.data(), 1);
  }
}

}  // namespace ditto::kernels
