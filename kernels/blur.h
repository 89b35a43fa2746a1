// Gaussian blur of a canvas, as torchvision's gaussian_blur: first along the lines, then along the
// columns; beyond the border the image is mirrored at its last pixel.
//
// The step of augmentation that is not pointwise: it runs among the changes of colour, in their
// order, over the resampled canvas (kernels/augment.h), and resamples nothing itself.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/colour.h"
#include "kernels/host_device.h"

namespace ditto::kernels {

inline constexpr int kMaxBlurRadius = 512;

// A blur of this standard deviation, cut off after `radius` pixels, both in canvas pixels.
ColourChange blur_change(double sigma, int radius);
// Throws "[blur] ..." unless the standard deviation is in [0.01, 1000] and the radius in
// [1, kMaxBlurRadius].
void check_blur(const ColourChange& change);
// The blur that looks the same on a canvas `scale` times as large.
void scale_blur(ColourChange& change, double scale);

// The 2 radius + 1 weights; they sum to 1.
std::vector<float> blur_weights(const ColourChange& change);

// Index i mirrored into [0, n) at the first and last index, as often as it takes.
HD int mirrored(int i, int n) {
  if (n == 1) return 0;
  const int period = 2 * (n - 1);
  const int at = (i < 0 ? -i : i) % period;
  return at < n ? at : period - at;
}

// (height, width, channels), in place.
void blur(const ColourChange& change, float* pixels, int64_t height, int64_t width,
          int64_t channels);

}  // namespace ditto::kernels
