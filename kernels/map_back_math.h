// The way back of predictions, written once for both devices (kernels/map_back.h).
#pragma once

#include <span>
#include <vector>

#include "core/box_map.h"
#include "core/nearest_map.h"
#include "kernels/augment_math.h"
#include "kernels/map_back.h"

namespace ditto::kernels {

// What both devices check before they start.
void check_boxes(const char* op, const View& boxes, std::span<const Frame> frames, const View& out);
void check_roi_masks(const View& masks, std::span<const Frame> frames, const View& out);
void check_class_maps(const View& maps, std::span<const Frame> frames, const View& out,
                      const View& seen);
void check_label_maps(const View& labels, std::span<const Frame> frames, const View& out);

struct BoxBackRow {
  BoxBack back;
  Rect limit;
};
std::vector<BoxBackRow> box_back_rows(std::span<const Frame> frames, ClipBoxes clip);
std::vector<Affine> frame_maps(std::span<const Frame> frames);

template <class T>
HD void store_box(const Rect& r, T* to) {
  to[0] = static_cast<T>(r.x0), to[1] = static_cast<T>(r.y0);
  to[2] = static_cast<T>(r.x1), to[3] = static_cast<T>(r.y1);
}

template <class T>
HD void map_box(const BoxBackRow& row, const T* box, T* to) {
  const auto clamp = [](double v, double low, double high) {
    return v < low ? low : high < v ? high : v;
  };
  const Rect r = row.back({static_cast<double>(box[0]), static_cast<double>(box[1]),
                           static_cast<double>(box[2]), static_cast<double>(box[3])});
  const Rect& l = row.limit;
  store_box(Rect{clamp(r.x0, l.x0, l.x1), clamp(r.y0, l.y0, l.y1), clamp(r.x1, l.x0, l.x1),
                 clamp(r.y1, l.y0, l.y1)},
            to);
}

// The hull by its centre and |M|; the same box as Affine's hull of corners.
template <class T>
HD void map_box(const Affine& m, const T* box, T* to) {
  const double x = 0.5 * (static_cast<double>(box[0]) + static_cast<double>(box[2]));
  const double y = 0.5 * (static_cast<double>(box[1]) + static_cast<double>(box[3]));
  const double w = 0.5 * (static_cast<double>(box[2]) - static_cast<double>(box[0]));
  const double h = 0.5 * (static_cast<double>(box[3]) - static_cast<double>(box[1]));
  const double cx = m.a * x + m.b * y + m.c, cy = m.d * x + m.e * y + m.f;
  const double rx = std::fabs(m.a) * w + std::fabs(m.b) * h;
  const double ry = std::fabs(m.d) * w + std::fabs(m.e) * h;
  store_box(Rect{cx - rx, cy - ry, cx + rx, cy + ry}, to);
}

// Where the pixels of each source are seen on its canvas.
struct DenseBack {
  std::vector<NearestLookup> rows;
  std::vector<Window> windows;  // of all rows
  explicit DenseBack(std::span<const Frame> frames);
};

// Two neighbours along an axis, and how far the point is on the way to the second.
struct Between {
  int first, second;
  float part;
};
HD Between between(double at, const PixelRange& range) {
  const double from = std::floor(at - 0.5);
  const auto first = static_cast<int>(from);
  return {range.nearest(first), range.nearest(first + 1), static_cast<float>(at - 0.5 - from)};
}

// Channel k of the map (lines, width, channels) at (u, v).
HD float interpolate(const float* map, int64_t width, int64_t channels, int64_t k,
                     const Between& across, const Between& down) {
  const float* upper = map + int64_t{down.first} * width * channels + k;
  const float* lower = map + int64_t{down.second} * width * channels + k;
  return bilinear(upper[across.first * channels], upper[across.second * channels],
                  lower[across.first * channels], lower[across.second * channels], across.part,
                  down.part);
}

}  // namespace ditto::kernels
