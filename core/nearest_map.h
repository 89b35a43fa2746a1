// NearestMap: which pixel of one frame a pixel of another shows, without interpolation: how masks
// and class maps go through a transform and back.
//
// The pixel with its centre at (i + 1/2, j + 1/2) shows the source pixel that holds the point it
// came from (detection.md 1.3: half-pixel centres).
#pragma once

#include <cmath>
#include <cstdint>

#include "core/frame.h"
#include "core/host_device.h"
#include "core/rle.h"

namespace ditto {

struct NearestMap {
  Affine inverse = {};  // canvas -> source
  int source_width = 0, source_height = 0;
  int width = 0, height = 0;  // of the canvas
  // Only pixels with their centre in `clip` (of the canvas, kEverywhere: all) that come from inside
  // `area` (of the source, to whole pixels) show anything.
  Rect clip = kEverywhere, area = kEverywhere;

  // Where the frame's source is seen on its canvas. Throws when the map is singular.
  static NearestMap of(const Frame& frame) {
    return {frame.map.inverse(), frame.source_width, frame.source_height, frame.width,
            frame.height};
  }
  // The way back, from the canvas to the source.
  // What lies beside the part of the canvas that shows the source (padding) stays there.
  static NearestMap back(const Frame& frame) {
    NearestMap map = of(frame.inverse());
    map.area = frame.visible;
    return map;
  }
};

// A NearestMap with its limits in whole pixels, on both devices.
struct NearestLookup {
  Affine inverse;
  int left, top, right, bottom;  // pixels of the canvas that may show something
  int source_left, source_top, source_right, source_bottom;

  explicit NearestLookup(const NearestMap& map) : inverse(map.inverse) {
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

  // Source column and row of the point at the centre of canvas pixel (x, y).
  HD double column_at(int x, int y) const {
    return std::floor(inverse.a * (x + 0.5) + inverse.b * (y + 0.5) + inverse.c);
  }
  HD double row_at(int x, int y) const {
    return std::floor(inverse.d * (x + 0.5) + inverse.e * (y + 0.5) + inverse.f);
  }
  // Whether canvas pixel (x, y) shows a source pixel, and which.
  HD bool find(int x, int y, int& source_x, int& source_y) const {
    if (x < left || x >= right || y < top || y >= bottom) return false;
    const double u = column_at(x, y), v = row_at(x, y);
    if (!(u >= source_left && u < source_right && v >= source_top && v < source_bottom))
      return false;
    source_x = static_cast<int>(u), source_y = static_cast<int>(v);
    return true;
  }
};

// The mask as it is seen on the map's canvas. Throws "[warp] ..." unless it has the source's size
// and the map is finite. The time an upright map takes grows with the runs, not with the pixels.
Rle warp(const Rle& mask, const NearestMap& map);

}  // namespace ditto
