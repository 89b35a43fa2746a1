#include "kernels/colour.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace ditto::kernels {
namespace {

float grey(const float* p) { return 0.2989f * p[0] + 0.587f * p[1] + 0.114f * p[2]; }

float clamp01(float v) { return std::min(std::max(v, 0.0f), 1.0f); }

// In double: a photograph has a million pixels.
float mean_grey(const float* pixels, int64_t count, int64_t channels) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += channels == 3 ? grey(pixels + 3 * i) : pixels[i];
  return static_cast<float>(sum / static_cast<double>(count));
}

void blend(float factor, float other, float* values, int64_t n) {
  const float rest = (1 - factor) * other;
  for (int64_t i = 0; i < n; ++i) values[i] = clamp01(factor * values[i] + rest);
}

void saturate(float factor, float* pixels, int64_t count) {
  for (int64_t i = 0; i < count; ++i, pixels += 3) {
    const float rest = (1 - factor) * grey(pixels);
    for (int c = 0; c < 3; ++c) pixels[c] = clamp01(factor * pixels[c] + rest);
  }
}

// Through hue, saturation and value: only the hue changes.
void turn_hue(float turn, float* pixels, int64_t count) {
  for (int64_t i = 0; i < count; ++i, pixels += 3) {
    const float r = pixels[0], g = pixels[1], b = pixels[2];
    const float value = std::max({r, g, b}), chroma = value - std::min({r, g, b});
    if (chroma == 0) continue;  // grey has no hue
    // In sixths of a turn, from red.
    float hue = value == r   ? (g - b) / chroma
                : value == g ? 2 + (b - r) / chroma
                             : 4 + (r - g) / chroma;
    hue += 6 * turn;
    // Each channel is a trapezoid of the hue: full for two sixths, none for two, ramps between.
    for (int c = 0; c < 3; ++c) {
      float distance = hue - static_cast<float>(2 * c);
      distance -= 6 * std::floor(distance / 6);
      distance = std::min(distance, 6 - distance);
      pixels[c] = value - chroma * clamp01(distance - 1);
    }
  }
}

void scale_channels(const ColourChange& change, float* pixels, int64_t count, int64_t channels) {
  for (int64_t i = 0; i < count; ++i, pixels += channels)
    for (int64_t c = 0; c < channels; ++c) {
      const auto k = static_cast<size_t>(c);
      pixels[c] = change.scale[k] * pixels[c] + change.offset[k];
    }
}

}  // namespace

void change_colours(std::span<const ColourChange> changes, float* pixels, int64_t count,
                    int64_t channels, ChannelValues& fill) {
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
          return channels == 3 ? saturate(change.factor, at, n) : void();
        case ColourKind::Hue:
          return channels == 3 ? turn_hue(change.factor, at, n) : void();
        case ColourKind::Affine:
          return scale_channels(change, at, n, channels);
      }
    };
    apply(pixels, count);
    apply(fill.data(), 1);
  }
}

}  // namespace ditto::kernels
