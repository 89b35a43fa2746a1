// NearestMap: which pixel of one frame a pixel of another shows, without interpolation: how masks
// and class maps go through a transform and back.
//
// The pixel with its centre at (i + 1/2, j + 1/2) shows the source pixel that holds the point it
// came from (detection.md 1.3: half-pixel centres).
#pragma once

#include <cstdint>
#include <vector>

#include "core/frame.h"
#include "core/host_device.h"
#include "core/rle.h"

namespace ditto {

struct NearestMap {
  Affine inverse = {};  // canvas -> source
  int source_width = 0, source_height = 0;
  int width = 0, height = 0;  // of the canvas
  // Only pixels with their centre in `clip` (of the canvas, kEverywhere: all) that come from inside
  // `area` (of the source) and from inside all windows show anything: the nearest pixel that has
  // its own centre in the area.
  Rect clip = kEverywhere, area = kEverywhere;
  std::vector<Window> windows = {};

  // Where the frame's source is seen on its canvas. Throws when the map is singular.
  static NearestMap of(const Frame& frame);
  // The way back, from the canvas to the source: pixels with their centre inside every cut show the
  // pixel of the canvas where that lies, or its neighbour if that one's own centre is padding.
  static NearestMap back(const Frame& frame);
};

// Pixels [begin, end) of an axis, at least one, and of those the nearest to pixel i.
struct PixelRange {
  int begin, end;
  HD int nearest(int i) const { return i < begin ? begin : i < end ? i : end - 1; }
};

// A NearestMap as both devices use it.
struct NearestLookup {
  Affine inverse;
  Rect area;                     // inside the source
  int left, top, right, bottom;  // pixels of the canvas that may show something
  PixelRange columns, rows;      // of the source, that are shown
  int32_t begin, end;            // of the map's in a list of windows

  // `windows` get those of the map.
  NearestLookup(const NearestMap& map, std::vector<Window>& windows);

  // The source point at the centre of canvas pixel (x, y).
  HD double source_x_at(int x, int y) const {
    return affine_coordinate(inverse.a, inverse.b, inverse.c, x + 0.5, y + 0.5);
  }
  HD double source_y_at(int x, int y) const {
    return affine_coordinate(inverse.d, inverse.e, inverse.f, x + 0.5, y + 0.5);
  }
  // Whether a source point may be shown, and which column and row are then.
  HD bool has_column(double x) const { return x >= area.x0 && x < area.x1; }
  HD bool has_row(double y) const { return y >= area.y0 && y < area.y1; }
  HD int column_of(double x) const { return columns.nearest(static_cast<int>(x)); }
  HD int row_of(double y) const { return rows.nearest(static_cast<int>(y)); }
  // Whether canvas pixel (x, y) shows the source, and at which point.
  HD bool find(const Window* windows, int x, int y, double& at_x, double& at_y) const {
    if (x < left || x >= right || y < top || y >= bottom) return false;
    at_x = source_x_at(x, y), at_y = source_y_at(x, y);
    bool in = has_column(at_x) && has_row(at_y);
    for (int32_t i = begin; i < end; ++i) in &= windows[i].has(at_x, at_y);
    return in;
  }
  // And which pixel.
  HD bool find(const Window* windows, int x, int y, int& column, int& row) const {
    double at_x = 0, at_y = 0;
    if (!find(windows, x, y, at_x, at_y)) return false;
    column = column_of(at_x), row = row_of(at_y);
    return true;
  }
};

// The mask as it is seen on the map's canvas. Throws "[warp] ..." unless it has the source's size
// and the map is finite. The time an upright map takes grows with the runs, not with the pixels.
Rle warp(const Rle& mask, const NearestMap& map);

}  // namespace ditto
