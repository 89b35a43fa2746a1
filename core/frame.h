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

#include "core/error.h"

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

// `map` takes source coordinates to the canvas of width x height; `visible` is the upright hull of
// the part of the canvas that shows source pixels (the rest is padding; after a cut and then a turn
// the hull has corners that show none; holes of cutout are not geometry).
struct Frame {
  Affine map;
  int source_width = 0, source_height = 0;
  int width = 0, height = 0;
  Rect visible;

  static Frame identity(int width, int height) {
    return {{}, width, height, width, height, {0, 0, double(width), double(height)}};
  }
  // The frame after a further map onto a canvas of width x height.
  Frame then(const Affine& next, int new_width, int new_height) const {
    Rect seen = next(visible);
    seen = {
        std::clamp(seen.x0, 0.0, double(new_width)), std::clamp(seen.y0, 0.0, double(new_height)),
        std::clamp(seen.x1, 0.0, double(new_width)), std::clamp(seen.y1, 0.0, double(new_height))};
    return {map.then(next), source_width, source_height, new_width, new_height, seen};
  }
  // The way back: canvas and source change places; `visible` is the part of the source that the
  // canvas still shows (its hull, when the map turns). Throws when the map is singular.
  Frame inverse() const {
    Frame back{map.inverse(), width, height, source_width, source_height, {}};
    const Rect seen = back.map(visible);
    const double right = source_width, bottom = source_height;
    back.visible = {std::clamp(seen.x0, 0.0, right), std::clamp(seen.y0, 0.0, bottom),
                    std::clamp(seen.x1, 0.0, right), std::clamp(seen.y1, 0.0, bottom)};
    return back;
  }
};

}  // namespace ditto
