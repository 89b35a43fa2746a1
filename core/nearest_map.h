// NearestMap: which pixel of one frame a pixel of another shows, without interpolation: how masks
// and class maps go through a transform and back.
//
// The pixel with its centre at (i + 1/2, j + 1/2) shows the source pixel that holds the point it
// came from (detection.md 1.3: half-pixel centres).
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "core/frame.h"
#include "core/host_device.h"
#include "core/rle.h"
#include "core/rounded_product.h"

namespace ditto {

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

struct NearestMap {
  Affine inverse = {};  // canvas -> source
  int source_width = 0, source_height = 0;
  int width = 0, height = 0;  // of the canvas
  // Only pixels with their centre in `clip` (of the canvas, kEverywhere: all) that come from inside
  // `area` (of the source, to whole pixels) and from inside all windows show anything.
  Rect clip = kEverywhere, area = kEverywhere;
  std::vector<Window> windows = {};

  // Where the frame's source is seen on its canvas. Throws when the map is singular.
  static NearestMap of(const Frame& frame) {
    return {frame.map.inverse(), frame.source_width, frame.source_height, frame.width,
            frame.height};
  }
  // The way back, from the canvas to the source. What lies beside frame.visible (padding) stays
  // there; a cut before a turn is known by its hull only (data::Transform::inverse() is exact).
  static NearestMap back(const Frame& frame) {
    NearestMap map = of(frame.inverse());
    map.area = frame.visible;
    return map;
  }
};

// A NearestMap with its limits in whole pixels; it refers to the map's windows.
struct NearestLookup {
  Affine inverse;
  int left, top, right, bottom;  // pixels of the canvas that may show something
  int source_left, source_top, source_right, source_bottom;
  const Window *windows, *windows_end;

  explicit NearestLookup(const NearestMap& map)
      : inverse(map.inverse),
        windows(map.windows.data()),
        windows_end(windows + map.windows.size()) {
    const auto first = [](double at, int size) {  // the first pixel centre not before `at`
      return static_cast<int>(std::clamp(std::ceil(at - 0.5), 0.0, double(size)));
    };
    const auto round = [](double at, int size) {
      return static_cast<int>(std::clamp(std::round(at), 0.0, double(size)));
    };
    left = first(map.clip.x0, map.width), right = first(map.clip.x1, map.width);
    top = first(map.clip.y0, map.height), bottom = first(map.clip.y1, map.height);
    source_left = round(map.area.x0, map.source_width);
    source_right = round(map.area.x1, map.source_width);
    source_top = round(map.area.y0, map.source_height);
    source_bottom = round(map.area.y1, map.source_height);
  }

  // The source point at the centre of canvas pixel (x, y).
  HD double source_x_at(int x, int y) const {
    return affine_coordinate(inverse.a, inverse.b, inverse.c, x + 0.5, y + 0.5);
  }
  HD double source_y_at(int x, int y) const {
    return affine_coordinate(inverse.d, inverse.e, inverse.f, x + 0.5, y + 0.5);
  }
  // Its source column and row.
  HD double column_at(int x, int y) const { return std::floor(source_x_at(x, y)); }
  HD double row_at(int x, int y) const { return std::floor(source_y_at(x, y)); }
  // Whether canvas pixel (x, y) shows a source pixel, and which.
  HD bool find(int x, int y, int& column, int& row) const {
    if (x < left || x >= right || y < top || y >= bottom) return false;
    const double at_x = source_x_at(x, y), at_y = source_y_at(x, y);
    const double u = std::floor(at_x), v = std::floor(at_y);
    if (!(u >= source_left && u < source_right && v >= source_top && v < source_bottom))
      return false;
    for (const Window* window = windows; window != windows_end; ++window)
      if (!window->has(at_x, at_y)) return false;
    column = static_cast<int>(u), row = static_cast<int>(v);
    return true;
  }
};

// The mask as it is seen on the map's canvas. Throws "[warp] ..." unless it has the source's size
// and the map is finite. The time an upright map takes grows with the runs, not with the pixels.
Rle warp(const Rle& mask, const NearestMap& map);

}  // namespace ditto
