// Frame: the coordinate record of an augmented image (psi of the papers): where every point of the
// source went.
//
// Coordinates are continuous, in pixels: an image of width W spans [0, W], pixel i covers [i, i +
// 1], its centre is i + 0.5, and a horizontal flip is x -> W - x. Computed in double.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "core/error.h"
#include "core/host_device.h"
#include "core/rounded_product.h"

namespace ditto {

struct Point {
  double x = 0, y = 0;
};

// Axis-aligned rectangle [x0, x1] x [y0, y1].
struct Rect {
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0;
  double area() const { return std::max(0.0, x1 - x0) * std::max(0.0, y1 - y0); }
  friend bool operator==(const Rect&, const Rect&) = default;
};

inline constexpr Rect kEverywhere{
    -std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(),
    std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};

// What both hold; sides cross where they do not meet (area 0).
inline Rect intersection(const Rect& a, const Rect& b) {
  return {std::max(a.x0, b.x0), std::max(a.y0, b.y0), std::min(a.x1, b.x1), std::min(a.y1, b.y1)};
}

bool contains(const Rect& outer, const Rect& inner);

// The map (x, y) -> (a x + b y + c, d x + e y + f).
struct Affine {
  double a = 1, b = 0, c = 0, d = 0, e = 1, f = 0;

  Point operator()(Point p) const { return {a * p.x + b * p.y + c, d * p.x + e * p.y + f}; }
  // First *this, then `next`.
  Affine then(const Affine& next) const {
    return {next.a * a + next.b * d, next.a * b + next.b * e, next.a * c + next.b * f + next.c,
            next.d * a + next.e * d, next.d * b + next.e * e, next.d * c + next.e * f + next.f};
  }
  double determinant() const { return a * e - b * d; }
  // Throws when the map is singular.
  Affine inverse() const {
    const double det = determinant();
    check(std::isfinite(det) && std::fabs(det) > 1e-12, "[affine] singular map, determinant", det);
    return {e / det, -b / det, (b * f - c * e) / det, -d / det, a / det, (c * d - a * f) / det};
  }

  friend bool operator==(const Affine&, const Affine&) = default;

  static Affine translation(double x, double y) { return {1, 0, x, 0, 1, y}; }
  static Affine scaling(double x, double y) { return {x, 0, 0, 0, y, 0}; }
  static Affine rotation(double radians) {
    const double c = std::cos(radians), s = std::sin(radians);
    return {c, -s, 0, s, c, 0};
  }
  // Bounding box of the image of `r` (the hull formula for boxes).
  Rect operator()(const Rect& r) const {
    const Point corners[] = {(*this)(Point{r.x0, r.y0}), (*this)(Point{r.x1, r.y0}),
                             (*this)(Point{r.x0, r.y1}), (*this)(Point{r.x1, r.y1})};
    Rect out{corners[0].x, corners[0].y, corners[0].x, corners[0].y};
    for (const Point& p : corners)
      out = {std::min(out.x0, p.x), std::min(out.y0, p.y), std::max(out.x1, p.x),
             std::max(out.y1, p.y)};
    return out;
  }
};

// Whether the map neither turns nor shears: then the axes are independent.
inline bool is_upright(const Affine& map) { return map.b == 0 && map.d == 0; }
// Whether the map is a mirror or shift by whole pixels, so that none is blended.
inline bool moves_whole_pixels(const Affine& map) {
  return is_upright(map) && std::fabs(map.a) == 1 && std::fabs(map.e) == 1 &&
         map.c == std::floor(map.c) && map.f == std::floor(map.f);
}

// One coordinate of an affine map, a x + b y + c, with the same bits wherever it is computed:
// pixels and masks, CPU and GPU agree about what is inside.
HD double affine_coordinate(double a, double b, double c, double x, double y) {
  return std::fma(b, y, rounded_product(a, x)) + c;
}

// What a cut left of an image, seen from the source: the points p with to_rect(p) in rect, left and
// upper edge included. Where maps turn between cuts, each cut is a window of its own.
struct Window {
  Affine to_rect = {};
  Rect rect = kEverywhere;

  HD bool has(double x, double y) const {
    const double u = affine_coordinate(to_rect.a, to_rect.b, to_rect.c, x, y);
    const double v = affine_coordinate(to_rect.d, to_rect.e, to_rect.f, x, y);
    return u >= rect.x0 && u < rect.x1 && v >= rect.y0 && v < rect.y1;
  }
};

// `map` takes source coordinates to the canvas of width x height. What an earlier canvas cut off
// stays cut off, turned or not: the canvas shows the points of `clip` (what is left by the last
// cuts, a rectangle of the canvas) that come from inside `area` (those before the image was turned
// or scaled, a rectangle of the source) and from inside all `windows` (all others). kEverywhere:
// nothing was cut. The rest is padding; holes of cutout are not geometry.
struct Frame {
  Affine map;
  int source_width = 0, source_height = 0;
  int width = 0, height = 0;
  // An upright rectangle of the canvas around all that it shows of the source; nothing else when no
  // cut was turned.
  Rect visible;
  Rect clip = kEverywhere, area = kEverywhere;
  std::vector<Window> windows = {};

  static Frame identity(int width, int height) {
    return {{}, width, height, width, height, {0, 0, double(width), double(height)}};
  }
  // An image of source_width x source_height through `map`, onto a canvas of width x height.
  static Frame of(const Affine& map, int source_width, int source_height, int width, int height);
  // The frame after a further map onto a canvas of width x height.
  Frame then(const Affine& next, int new_width, int new_height) const;
  // First *this, then `next`, whose source is this canvas.
  Frame& append(const Frame& next);
  // The way back: canvas and source change places. Throws when the map is singular.
  Frame inverse() const;
  // Whether a part of the source is not on the canvas.
  bool cuts() const;
};

}  // namespace ditto
