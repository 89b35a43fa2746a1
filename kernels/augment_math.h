// The geometry of augmentation, written once for both devices: which output pixels a row fills,
// where a map reads, how four neighbours are blended, what is erased.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

#include "kernels/augment.h"
#include "kernels/host_device.h"

namespace ditto::kernels {

// Throws "[augment] ..." as augment() does.
void check_augment(const View& images, std::span<const AugmentRow> rows, const View& out);

struct Size {
  int64_t height, width;
};

// Output pixels [begin, end) of one line or column.
struct Span {
  int64_t begin, end;
  HD bool has(int64_t i) const { return i >= begin && i < end; }
};

inline Span intersect(Span a, Span b) {
  const int64_t begin = std::max(a.begin, b.begin);
  return {begin, std::max(begin, std::min(a.end, b.end))};
}

// The pixels of [0, size) whose centres lie in [low, high); none where a bound is NaN.
inline Span centres_inside(double low, double high, int64_t size) {
  const auto edge = [size](double x) {
    if (!(x > 0.5)) return int64_t{0};
    return x - 0.5 >= static_cast<double>(size) ? size : static_cast<int64_t>(std::ceil(x - 0.5));
  };
  const int64_t begin = edge(low);
  return {begin, std::max(begin, edge(high))};
}

// A map that moves whole pixels: source index = begin + step * output index, per axis.
struct Shift {
  int64_t x0, step_x, y0, step_y;
};

// True, with `shift`, when the inverse map is a mirror or shift by whole pixels.
inline bool whole_pixels(const Affine& m, Shift& shift) {
  const auto whole = [](double v) { return v == std::floor(v) && std::fabs(v) < 1e9; };
  if (m.b != 0 || m.d != 0 || std::fabs(m.a) != 1 || std::fabs(m.e) != 1) return false;
  if (!whole(m.c) || !whole(m.f)) return false;
  const int64_t c = static_cast<int64_t>(m.c), f = static_cast<int64_t>(m.f);
  // The centre of pixel i is i + 0.5; mirrored it is c - 0.5 - i, the centre of pixel c - 1 - i.
  shift = {m.a > 0 ? c : c - 1, m.a > 0 ? 1 : -1, m.e > 0 ? f : f - 1, m.e > 0 ? 1 : -1};
  return true;
}

// The outputs i of [0, out_size) whose source begin + step * i is in `in`.
inline Span sources_inside(int64_t begin, int64_t step, Span in, int64_t out_size) {
  const int64_t low = step > 0 ? in.begin - begin : begin - in.end + 1;
  const int64_t high = step > 0 ? in.end - begin : begin - in.begin + 1;
  const int64_t first = std::clamp<int64_t>(low, 0, out_size);
  return {first, std::clamp<int64_t>(high, first, out_size)};
}

// The source pixels of a row's area: with their centre in it.
struct PixelArea {
  Span columns, lines;
  HD bool has(int64_t x, int64_t y) const { return columns.has(x) && lines.has(y); }
};
inline PixelArea pixel_area(const Rect& area, Size in) {
  return {centres_inside(area.x0, area.x1, in.width), centres_inside(area.y0, area.y1, in.height)};
}

// How a row is sampled (kernels/augment.h).
enum class MapKind : int32_t { Shift, Bilinear, Resample, Footprint };
inline MapKind kind_of(const AugmentRow& row, Shift& shift) {
  if (!row.windows.empty()) return MapKind::Footprint;
  if (whole_pixels(row.inverse, shift)) return MapKind::Shift;
  if (!row.average) return MapKind::Bilinear;
  return is_upright(row.inverse) ? MapKind::Resample : MapKind::Footprint;
}

// Where a map reads along one axis of the source: between pixels `index` and index + 1 of the
// source's frame, whose pixel 0 is the source's -1, `part` of the way.
struct Tap {
  int32_t index;
  float part;
};
// start + step * i, moved onto the frame's border where all four neighbours are outside anyway.
// `limit` is the source's size + 1.
HD Tap tap_at(double start, double step, int32_t i, double limit) {
  const double at = start + step * i;
  const double low = at > 0.0 ? at : 0.0;  // a NaN (overflow of a huge map) becomes 0
  const double in_frame = limit < low ? limit : low;
  const auto index = static_cast<int32_t>(in_frame);
  return {index, static_cast<float>(in_frame - index)};
}
// `start` of tap_at along x and y, for the output line whose centre is y0.
HD double tap_start_x(const Affine& m, double y0) { return 0.5 * m.a + m.b * y0 + m.c + 0.5; }
HD double tap_start_y(const Affine& m, double y0) { return 0.5 * m.d + m.e * y0 + m.f + 0.5; }

// The source point that an output pixel's centre shows, as NearestLookup finds it for masks.
HD Point centre_in_source(const Affine& m, int64_t x, int64_t y) {
  const double cx = static_cast<double>(x) + 0.5, cy = static_cast<double>(y) + 0.5;
  return {affine_coordinate(m.a, m.b, m.c, cx, cy), affine_coordinate(m.d, m.e, m.f, cx, cy)};
}

// The blend of four neighbours. V is float or a vector of channels.
template <class V>
HD V bilinear(const V& upper_left, const V& upper_right, const V& lower_left, const V& lower_right,
              float right, float down) {
  const V top = upper_left + right * (upper_right - upper_left);
  const V bottom = lower_left + right * (lower_right - lower_left);
  return top + down * (bottom - top);
}

// An Erase prepared for one canvas.
struct ErasedArea {
  Affine to_rect;
  Rect rect;
  Span columns, lines;  // its hull
  bool upright;         // the hull is the area itself

  ErasedArea(const Erase& erase, Size canvas)
      : to_rect(erase.to_rect),
        rect(erase.rect),
        columns{0, 0},
        lines{0, 0},
        upright(to_rect.b == 0 && to_rect.d == 0) {
    if (rect.area() == 0) return;
    const Rect hull = to_rect.inverse()(rect);
    columns = centres_inside(hull.x0, hull.x1, canvas.width);
    lines = centres_inside(hull.y0, hull.y1, canvas.height);
  }
  // Whether pixel (x, y) of the hull is in the area.
  HD bool covers(int64_t x, int64_t y) const {
    if (upright) return true;
    const double cx = static_cast<double>(x) + 0.5, cy = static_cast<double>(y) + 0.5;
    const double u = to_rect.a * cx + to_rect.b * cy + to_rect.c;
    const double v = to_rect.d * cx + to_rect.e * cy + to_rect.f;
    return u >= rect.x0 && u < rect.x1 && v >= rect.y0 && v < rect.y1;
  }
};

}  // namespace ditto::kernels
