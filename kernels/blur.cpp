#include "kernels/blur.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace ditto::kernels {

ColourChange blur_change(double sigma, int radius) {
  ColourChange change;
  change.kind = ColourKind::Blur;
  change.factor = static_cast<float>(sigma);
  change.radius = radius;
  check_blur(change);
  return change;
}

void check_blur(const ColourChange& change) {
  check(change.factor >= 0.01f && change.factor <= 1000.0f,
        "[blur] standard deviation in [0.01, 1000], got", change.factor);
  check(change.radius >= 1 && change.radius <= kMaxBlurRadius, "[blur] radius in [1,",
        kMaxBlurRadius, "], got", change.radius);
}

void scale_blur(ColourChange& change, double scale) {
  change.factor = static_cast<float>(std::clamp(change.factor * scale, 0.01, 1000.0));
  change.radius = static_cast<int>(
      std::clamp(std::ceil(change.radius * scale), 1.0, static_cast<double>(kMaxBlurRadius)));
}

std::vector<float> blur_weights(const ColourChange& change) {
  std::vector<double> weights;
  double sum = 0;
  for (int i = -change.radius; i <= change.radius; ++i) {
    const double at = i / static_cast<double>(change.factor);
    weights.push_back(std::exp(-0.5 * at * at));
    sum += weights.back();
  }
  std::vector<float> out;
  for (const double weight : weights) out.push_back(static_cast<float>(weight / sum));
  return out;
}

void blur(const ColourChange& change, float* pixels, int64_t height, int64_t width,
          int64_t channels) {
  const std::vector<float> weights = blur_weights(change);
  const auto r = static_cast<int64_t>(change.radius);
  const int64_t pitch = width * channels;
  // Along the lines, each with its mirrored ends beside it.
  std::vector<float> line(static_cast<size_t>((width + 2 * r) * channels)),
      across(static_cast<size_t>(height * pitch));
  for (int64_t y = 0; y < height; ++y) {
    const float* from = pixels + y * pitch;
    for (int64_t x = -r; x < width + r; ++x)
      std::copy_n(from + mirrored(static_cast<int>(x), static_cast<int>(width)) * channels,
                  channels, line.data() + (x + r) * channels);
    float* to = across.data() + y * pitch;
    for (int64_t t = 0; t <= 2 * r; ++t) {
      const float weight = weights[static_cast<size_t>(t)];
      const float* at = line.data() + t * channels;
      for (int64_t i = 0; i < pitch; ++i) to[i] += weight * at[i];
    }
  }
  for (int64_t y = 0; y < height; ++y) {
    float* to = pixels + y * pitch;
    std::fill_n(to, pitch, 0.0f);
    for (int64_t t = 0; t <= 2 * r; ++t) {
      const float weight = weights[static_cast<size_t>(t)];
      const float* at =
          across.data() + mirrored(static_cast<int>(y + t - r), static_cast<int>(height)) * pitch;
      for (int64_t i = 0; i < pitch; ++i) to[i] += weight * at[i];
    }
  }
}

}  // namespace ditto::kernels
