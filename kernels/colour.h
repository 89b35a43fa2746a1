// Changes of colour in images of values in [0, 1]: brightness, contrast, saturation, hue,
// solarising and Gaussian blur, as torchvision defines them (adjust_brightness and so on, on float
// images).
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace ditto::kernels {

// Images have 1 to 4 channels.
inline constexpr int kMaxChannels = 4;
using ChannelValues = std::array<float, kMaxChannels>;

enum class ColourKind : unsigned char {
  Brightness,  // v -> factor v
  Contrast,    // v -> factor v + (1 - factor) m, m the mean grey of the image
  Saturation,  // v -> factor v + (1 - factor) grey(v); 0 makes a grey image
  Hue,         // the hue turns by `factor` of a full turn, in [-0.5, 0.5]
  Affine,      // v_c -> scale_c v_c + offset_c, and is not clamped
  Solarize,    // v -> 1 - v where v >= factor
  Blur         // v -> the mean around the pixel, Gaussian weights (kernels/blur.h)
};

// Results of the first three are clamped to [0, 1]. A blur has the standard deviation `factor` and
// reaches `radius` pixels far. grey = 0.2989 R + 0.587 G + 0.114 B.
struct ColourChange {
  ColourKind kind = ColourKind::Affine;
  float factor = 1;
  ChannelValues scale{1, 1, 1, 1}, offset{};
  int radius = 0;
};

// Applies the changes in order to (height, width) pixels of 1 or 3 channels, in place; `fill` is
// one more pixel, which does not count in the mean of Contrast and which no blur changes. With one
// channel Saturation and Hue change nothing.
void change_colours(std::span<const ColourChange> changes, float* pixels, int64_t height,
                    int64_t width, int64_t channels, ChannelValues& fill);

}  // namespace ditto::kernels
