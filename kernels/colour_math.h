// Changes of colour of one pixel, written once for both devices (kernels/colour.h tells what they
// do).
#pragma once

#include <cmath>

#include "kernels/host_device.h"

namespace ditto::kernels {

HD float grey(const float* p) { return 0.2989f * p[0] + 0.587f * p[1] + 0.114f * p[2]; }

HD float clamp01(float v) {
  const float low = v < 0.0f ? 0.0f : v;
  return 1.0f < low ? 1.0f : low;
}

// rest = (1 - factor) * what is blended in.
HD float blended(float factor, float value, float rest) { return clamp01(factor * value + rest); }

HD float solarized(float threshold, float value) { return value >= threshold ? 1 - value : value; }

HD void saturate(float factor, float* p) {
  const float rest = (1 - factor) * grey(p);
  for (int c = 0; c < 3; ++c) p[c] = blended(factor, p[c], rest);
}

// Through hue, saturation and value: only the hue changes.
HD void turn_hue(float turn, float* p) {
  const float r = p[0], g = p[1], b = p[2];
  const float most = r < g ? g : r, least = g < r ? g : r;
  const float value = most < b ? b : most, chroma = value - (b < least ? b : least);
  if (chroma == 0) return;  // grey has no hue
  // In sixths of a turn, from red.
  const float ramp = value == r ? g - b : value == g ? b - r : r - g;
  const float hue = (value == r ? 0.0f : value == g ? 2.0f : 4.0f) + ramp / chroma + 6 * turn;
  // Each channel is a trapezoid of the hue: full for two sixths, none for two, ramps between.
  for (int c = 0; c < 3; ++c) {
    float distance = hue - static_cast<float>(2 * c);
    distance -= 6 * std::floor(distance / 6);
    distance = 6 - distance < distance ? 6 - distance : distance;
    p[c] = value - chroma * clamp01(distance - 1);
  }
}

}  // namespace ditto::kernels
