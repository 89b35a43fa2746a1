// Boxes through a transform and back (detection.md 3.1), written once for losses, models,
// test-time augmentation and the viewer, on both devices.
//
// Forward, a box becomes the upright hull of its image: with the linear part M of the map and |M|
// its absolute values, the centre goes through the map and [w'; h'] = |M| [w; h]. Back, the centre
// goes through the inverse map and [w; h] = |M|^-1 [w'; h']: exact for the hull of a box, however
// the image was turned, where a hull of the hull would grow. Errors grow by hull_condition().
#pragma once

#include <algorithm>
#include <cmath>

#include "core/frame.h"
#include "core/host_device.h"

namespace ditto {

// By how much a relative error of the sides of a square's hull can grow on the way back, the
// largest row sum of ||M|^-1| |M|: 1 for maps that scale, mirror or turn by 90 degrees, tan(45
// degrees + angle) for a rotation (infinite at 45 degrees), 1 + 2 tan(angle) for a shear.
inline double hull_condition(const Affine& map) {
  const double a = std::fabs(map.a), b = std::fabs(map.b), d = std::fabs(map.d),
               e = std::fabs(map.e);
  return (a * e + b * d + 2 * std::max(b * e, a * d)) / std::fabs(a * e - b * d);
}

// Rotations of up to 15 degrees (detection.md 3.1), or shears of up to 20: what a policy may draw
// whose boxes have to come back for a loss.
inline constexpr double kLossHullCondition = 1.7320508076;

// The way back of boxes from one frame, prepared: x y w h by two linear maps.
struct BoxBack {
  Affine centre;                          // canvas -> source
  double ww = 1, wh = 0, hw = 0, hh = 1;  // [w; h] of the source from [w'; h'] of the canvas

  BoxBack() = default;
  // Throws "[box_back] ..." where the map is singular or |M| nearly is (hull_condition() above 100:
  // within half a degree of 45).
  explicit BoxBack(const Affine& map) : centre(map.inverse()) {
    const double condition = hull_condition(map);
    check(condition <= 100, "[box_back] boxes cannot be brought back, condition", condition);
    const double a = std::fabs(map.a), b = std::fabs(map.b), d = std::fabs(map.d),
                 e = std::fabs(map.e), det = a * e - b * d;
    ww = e / det, wh = -b / det, hw = -d / det, hh = a / det;
  }

  // A predicted box need not be the hull of anything: a side that would be negative is 0.
  HD Rect operator()(const Rect& box) const {
    const double x = 0.5 * (box.x0 + box.x1), y = 0.5 * (box.y0 + box.y1);
    const double w = box.x1 - box.x0, h = box.y1 - box.y0;
    const double cx = centre.a * x + centre.b * y + centre.c;
    const double cy = centre.d * x + centre.e * y + centre.f;
    const double half_w = 0.5 * (ww * w + wh * h), half_h = 0.5 * (hw * w + hh * h);
    const double rx = half_w < 0.0 ? 0.0 : half_w, ry = half_h < 0.0 ? 0.0 : half_h;
    return {cx - rx, cy - ry, cx + rx, cy + ry};
  }
};

// One box back; many go through one BoxBack.
inline Rect box_back(const Affine& map, const Rect& box) { return BoxBack(map)(box); }

// How the columns and lines of a mask in RoI space (28 x 28 over a box) lie when the box has come
// back: translation and scale change nothing there, a mirrored image reverses them
// (detection.md 3.1, iv).
struct RoiFlip {
  bool columns = false, rows = false;
};
// Throws "[roi_flip] ..." when the map turns or shears: then RoI masks of box and image differ by
// more than an order.
inline RoiFlip roi_flip(const Affine& map) {
  check(map.b == 0 && map.d == 0, "[roi_flip] masks in RoI space do not turn, got the map", map.a,
        map.b, map.d, map.e);
  return {map.a < 0, map.e < 0};
}

}  // namespace ditto
