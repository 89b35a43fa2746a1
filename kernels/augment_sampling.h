// How the CPU samples the source of one row, whatever its map: bilinear, an upright average, or by
// footprints. A line of the canvas at a time; what does not show the source is fill.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/augment_lines.h"
#include "kernels/augment_math.h"
#include "kernels/footprint.h"
#include "kernels/resample.h"

namespace ditto::kernels {

// The area of the source in f32, with fill pixels everywhere else: in a frame around the source
// too, one wide on the left and top and two on the right and bottom, so that sampling needs no
// border cases.
template <int C, class T>
void frame_source(const T* source, Size in, const PixelArea& area, const ChannelValues& fill,
                  double unit, std::vector<float>& framed) {
  constexpr int L = kLanes<C>;
  const int64_t pitch = (in.width + 3) * L;
  framed.resize(static_cast<size_t>((in.height + 3) * pitch));
  float outside[L] = {};
  for (int c = 0; c < C; ++c) outside[c] = static_cast<float>(fill[c] / unit);
  const auto paint = [&](float* to, int64_t pixels) {
    for (int64_t i = 0; i < pixels; ++i) std::copy_n(outside, L, to + i * L);
  };
  const Span columns = area.columns, lines = area.lines;
  paint(framed.data(), (lines.begin + 1) * (in.width + 3));
  for (int64_t y = lines.begin; y < lines.end; ++y) {
    float* line = framed.data() + (y + 1) * pitch;
    paint(line, columns.begin + 1);
    for (int64_t x = columns.begin; x < columns.end; ++x)
      for (int c = 0; c < C; ++c)
        line[(x + 1) * L + c] = static_cast<float>(source[(y * in.width + x) * C + c]);
    paint(line + (columns.end + 1) * L, in.width - columns.end + 2);
  }
  paint(framed.data() + (lines.end + 1) * pitch, (in.height - lines.end + 2) * (in.width + 3));
}

// Where one line of output pixels reads: the upper left of four neighbours, and how far the point
// is on the way to the next one. A pass of its own, because the compiler vectorises it.
struct Taps {
  std::vector<int32_t> x, y;
  std::vector<float> right, down;
  explicit Taps(size_t width) : x(width), y(width), right(width), down(width) {}

  void find(const Affine& m, Size in, int64_t line, Span columns) {
    const double y0 = static_cast<double>(line) + 0.5;
    const double start_x = tap_start_x(m, y0), start_y = tap_start_y(m, y0);
    const double limit_x = static_cast<double>(in.width + 1);
    const double limit_y = static_cast<double>(in.height + 1);
    const auto end = static_cast<int32_t>(columns.end);
    int32_t* to_x = x.data();
    int32_t* to_y = y.data();
    float* to_right = right.data();
    float* to_down = down.data();
    for (auto i = static_cast<int32_t>(columns.begin); i < end; ++i) {
      const Tap across = tap_at(start_x, m.a, i, limit_x), along = tap_at(start_y, m.d, i, limit_y);
      to_x[i] = across.index, to_y[i] = along.index;
      to_right[i] = across.part, to_down[i] = along.part;
    }
  }
};

// Bilinear sampling between pixel centres; neighbours outside the source have the fill value.
template <int C>
void sample_image(const std::vector<float>& framed, Size in, const Affine& inverse, Span columns,
                  Span lines, const Pattern& pattern, Taps& taps, float* out, Size canvas) {
  constexpr int L = kLanes<C>;
  const int64_t pitch = canvas.width * C, in_pitch = (in.width + 3) * L;
  Lanes<L> scale{}, offset{};
  for (int c = 0; c < C; ++c) scale[c] = pattern.scale()[c], offset[c] = pattern.offset()[c];
  for (int64_t y = 0; y < canvas.height; ++y, out += pitch) {
    if (y < lines.begin || y >= lines.end) {
      std::copy_n(pattern.fill(), pitch, out);
      continue;
    }
    taps.find(inverse, in, y, columns);
    std::copy_n(pattern.fill(), columns.begin * C, out);
    for (int64_t x = columns.begin; x < columns.end; ++x) {
      const float* upper = framed.data() + taps.y[x] * in_pitch + taps.x[x] * L;
      const float* lower = upper + in_pitch;
      const Lanes<L> blend = bilinear(load<L>(upper), load<L>(upper + L), load<L>(lower),
                                      load<L>(lower + L), taps.right[x], taps.down[x]);
      const Lanes<L> value = blend * scale + offset;
      std::memcpy(out + x * C, &value, C * sizeof(float));
    }
    std::copy_n(pattern.fill() + columns.end * C, pitch - columns.end * C, out + columns.end * C);
  }
}

// Maps that turn a resized image, and cuts between turns: kernels/footprint.h, on the framed
// source.
template <int C>
void sample_footprints(const std::vector<float>& framed, Size in, const AugmentRow& row,
                       double unit, Span columns, Span lines, const Pattern& pattern, float* out,
                       Size canvas) {
  constexpr int L = kLanes<C>;
  std::vector<FootprintWindow> windows;
  const Footprint footprint(row, in, windows);
  const int64_t pitch = canvas.width * C, in_pitch = (in.width + 3) * L;
  Lanes<L> scale{}, offset{}, outside{};
  for (int c = 0; c < C; ++c) scale[c] = pattern.scale()[c], offset[c] = pattern.offset()[c];
  for (int c = 0; c < C; ++c) outside[c] = static_cast<float>(row.fill[c] / unit);
  const auto pixel = [&](int x, int y) {
    return load<L>(framed.data() + (y + 1) * in_pitch + (x + 1) * L);
  };
  for (int64_t y = 0; y < canvas.height; ++y, out += pitch) {
    std::copy_n(pattern.fill(), pitch, out);
    if (!lines.has(y)) continue;
    for (int64_t x = columns.begin; x < columns.end; ++x) {
      const Point at = centre_in_source(row.inverse, x, y);
      if (!footprint.shows(windows.data(), at.x, at.y)) continue;
      const Lanes<L> value =
          sample_footprint(footprint, windows.data(), at.x, at.y, outside, pixel) * scale + offset;
      std::memcpy(out + x * C, &value, C * sizeof(float));
    }
  }
}

// Upright maps that average: first the lines that an output line covers are averaged, then the
// columns.
template <class T>
struct Resampler {
  ResampleAxis x, y;
  std::vector<float> line;

  template <int C>
  void run(const T* source, Size in, const AugmentRow& row, Span columns, Span lines,
           const Pattern& pattern, float* out, Size canvas) {
    const Affine& m = row.inverse;
    x.plan(m.a, m.c, row.area.x0, row.area.x1, in.width, canvas.width);
    y.plan(m.e, m.f, row.area.y0, row.area.y1, in.height, canvas.height);
    columns = intersect(columns, {x.begin(), x.end()});
    lines = intersect(lines, {y.begin(), y.end()});
    const int64_t pitch = canvas.width * C;
    int64_t left = in.width, right = 0;  // the source columns that are needed
    for (int64_t i = columns.begin; i < columns.end; ++i) {
      left = std::min(left, x.first(i));
      right = std::max(right, x.first(i) + x.count(i));
    }
    constexpr int L = kLanes<C>;  // pixels of 2 and 3 channels are read with their neighbour's
    line.resize(static_cast<size_t>(std::max<int64_t>(0, right - left) * C + L));
    Lanes<L> scale{}, offset{};
    for (int c = 0; c < C; ++c) scale[c] = pattern.scale()[c], offset[c] = pattern.offset()[c];
    for (int64_t j = 0; j < canvas.height; ++j, out += pitch) {
      if (j < lines.begin || j >= lines.end || columns.begin >= columns.end) {
        std::copy_n(pattern.fill(), pitch, out);
        continue;
      }
      std::copy_n(pattern.fill(), columns.begin * C, out);
      std::copy_n(pattern.fill() + columns.end * C, pitch - columns.end * C, out + columns.end * C);
      std::ranges::fill(line, 0.0f);
      for (int64_t t = 0; t < y.count(j); ++t) {
        const T* from = source + ((y.first(j) + t) * in.width + left) * C;
        const float weight = y.weights(j)[t];
        float* to = line.data();
        for (int64_t k = 0; k < (right - left) * C; ++k)
          to[k] += weight * static_cast<float>(from[k]);
      }
      for (int64_t i = columns.begin; i < columns.end; ++i) {
        Lanes<L> sum{};
        const float* from = line.data() + (x.first(i) - left) * C;
        const float* weight = x.weights(i);
        for (int64_t t = 0; t < x.count(i); ++t, from += C) sum += weight[t] * load<L>(from);
        sum = sum * scale + offset;
        std::memcpy(out + i * C, &sum, C * sizeof(float));
      }
    }
  }
};

}  // namespace ditto::kernels
