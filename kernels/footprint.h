// Sampling by the footprint of an output pixel: what maps that turn or shear a resized image, or
// cuts between two turns, need. Written once for both devices.
//
// An output pixel covers a parallelogram of the source. Bilinear samples are spread over it along
// its principal axes, n = ceil(s) to either side with the weights of a triangle, where s > 1 is how
// many source pixels an axis covers. Their distance is chosen so that the samples' triangle and the
// one of bilinear interpolation add up to the variance of a triangle of radius s, the filter of
// kernels/resample.h, PIL and torchvision's antialias=True; for whole s and an upright map they are
// that filter exactly. Where s <= 1 a sample is bilinear interpolation. Straight lines of colour
// come out straight at any angle.
#pragma once

#include <vector>

#include "core/nearest_map.h"
#include "kernels/augment_math.h"

// A loop that nvcc shall not unroll: the barrier registers of its branches would spill.
#ifdef __CUDA_ARCH__
#define NO_UNROLL _Pragma("unroll 1")
#else
#define NO_UNROLL
#endif

namespace ditto::kernels {

// A window, and the part of it so far inside that a footprint there cannot reach out.
struct FootprintWindow {
  Window window;
  Rect inner;
};

struct Footprint {
  // Sample (i, j) lies i * first + j * second from the point that the output pixel's centre shows,
  // |i| < count[0], |j| < count[1].
  float first_x = 0, first_y = 0, second_x = 0, second_y = 0;
  int32_t count[2];
  PixelArea area;
  Rect inner;  // of the area, like a window's
  // Windows of the row. Source pixels beside them are not read; an output pixel is only shown with
  // its centre in those after `shown` (in the one before is what its clip says already).
  int32_t begin, shown, end;
  bool average;

  // `windows` get those of the row.
  Footprint(const AugmentRow& row, Size in, std::vector<FootprintWindow>& windows);

  // Whether an output pixel whose centre shows (x, y) of the source is more than fill.
  HD bool shows(const FootprintWindow* windows, double x, double y) const {
    const double column = std::floor(x), line = std::floor(y), beside = average ? 0 : 1;
    bool in = column >= static_cast<double>(area.columns.begin) - beside &&
              column < static_cast<double>(area.columns.end) + beside &&
              line >= static_cast<double>(area.lines.begin) - beside &&
              line < static_cast<double>(area.lines.end) + beside;
    NO_UNROLL
    for (int32_t i = shown; i < end; ++i) in &= windows[i].window.has(x, y);
    return in;
  }
  // Whether all samples around (x, y) lie in the area and in all windows.
  HD bool inside(const FootprintWindow* windows, double x, double y) const {
    bool in = x >= inner.x0 && x < inner.x1 && y >= inner.y0 && y < inner.y1;
    NO_UNROLL
    for (int32_t i = begin; i < end; ++i)
      in &= Window{windows[i].window.to_rect, windows[i].inner}.has(x, y);
    return in;
  }
  // Whether source pixel (x, y) may be read.
  HD bool reads(const FootprintWindow* windows, int x, int y) const {
    bool in = area.has(x, y);
    NO_UNROLL
    for (int32_t i = begin; i < end; ++i) in &= windows[i].window.has(x + 0.5, y + 0.5);
    return in;
  }
};

// A sample of a footprint around source point (x, y): its pixel to the upper left, how far it is on
// the way to the next one, and its weight. The point is in double, distances from it in float: GPUs
// have few units for double.
struct FootprintSample {
  int column, row;
  float right, down, weight;

  HD FootprintSample(const Footprint& f, double x, double y, int i, int j) {
    const double left = std::floor(x - 0.5), top = std::floor(y - 0.5);
    const auto across = static_cast<float>(i), along = static_cast<float>(j);
    const float at_x = static_cast<float>(x - 0.5 - left) + across * f.first_x + along * f.second_x;
    const float at_y = static_cast<float>(y - 0.5 - top) + across * f.first_y + along * f.second_y;
    const float floor_x = std::floor(at_x), floor_y = std::floor(at_y);
    column = static_cast<int>(left) + static_cast<int>(floor_x);
    row = static_cast<int>(top) + static_cast<int>(floor_y);
    right = at_x - floor_x, down = at_y - floor_y;
    weight = (static_cast<float>(f.count[0]) - std::fabs(across)) *
             (static_cast<float>(f.count[1]) - std::fabs(along));
  }
};

// The value at source point (x, y), which the footprint shows. pixel(column, line) reads the
// source; `outside` is the fill in the same units. V is float or a vector of channels.
template <class V, class Pixel>
HD V sample_footprint(const Footprint& f, const FootprintWindow* windows, double x, double y,
                      const V& outside, Pixel&& pixel) {
  const int rows = f.count[0], columns = f.count[1];
  const float all = static_cast<float>(rows) * static_cast<float>(rows) *
                    static_cast<float>(columns) * static_cast<float>(columns);
  V sum{};
  if (f.inside(windows, x, y)) {
    NO_UNROLL
    for (int i = 1 - rows; i < rows; ++i) {
      V line{};  // sums of sums: many samples lose fewer bits
      NO_UNROLL
      for (int j = 1 - columns; j < columns; ++j) {
        const FootprintSample s(f, x, y, i, j);
        const int u = s.column, v = s.row;
        line += s.weight * bilinear(pixel(u, v), pixel(u + 1, v), pixel(u, v + 1),
                                    pixel(u + 1, v + 1), s.right, s.down);
      }
      sum += line;
    }
    return sum / all;
  }
  float weight = 0;
  NO_UNROLL
  for (int i = 1 - rows; i < rows; ++i) {
    V line{};
    float line_weight = 0;
    NO_UNROLL
    for (int n = 0; n < 4 * (2 * columns - 1); ++n) {  // four neighbours of each sample
      const FootprintSample s(f, x, y, i, n / 4 + 1 - columns);
      const int right = n % 2, down = n / 2 % 2, u = s.column + right, v = s.row + down;
      if (!f.reads(windows, u, v)) continue;
      const float part =
          s.weight * (right == 1 ? s.right : 1 - s.right) * (down == 1 ? s.down : 1 - s.down);
      line += part * pixel(u, v);
      line_weight += part;
    }
    sum += line;
    weight += line_weight;
  }
  if (!f.average) return (sum + (all - weight) * outside) / all;
  // In the tip of a window there may be next to nothing to average: then the pixel it lies in.
  if (!(weight > 1e-3f * all))
    return pixel(static_cast<int>(std::floor(x)), static_cast<int>(std::floor(y)));
  return sum / weight;
}

}  // namespace ditto::kernels

#undef NO_UNROLL
