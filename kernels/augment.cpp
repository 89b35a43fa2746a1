#include "kernels/augment.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <vector>

#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "core/parallel.h"
#include "kernels/augment_lines.h"
#include "kernels/augment_math.h"
#include "kernels/augment_sampling.h"
#include "kernels/blur.h"

namespace ditto::kernels {
namespace {

// Below this many images a second thread costs more than it saves.
constexpr int64_t kImageGrain = 8;

// Eight elements of the source as floats. By intrinsics where there are any: of vectors or loops
// over bytes GCC 12 makes five times as many instructions.
template <class T>
Lanes<8> widen(const T* from) {
  if constexpr (std::is_same_v<T, float>) {
    return load<8>(from);
  } else {
#ifdef __AVX2__
    return _mm256_cvtepi32_ps(
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
#else
    Lanes<8> lanes;
    for (int i = 0; i < 8; ++i) lanes[i] = from[i];
    return lanes;
#endif
  }
}

// out = scale * source + offset. Whole registers only: the last one overlaps the one before it, so
// out may not be source.
template <class T>
void convert(const T* source, const float* scale, const float* offset, float* out, int64_t n) {
  const auto eight = [=](int64_t i) {
    const Lanes<8> value = widen(source + i) * load<8>(scale + i) + load<8>(offset + i);
    std::memcpy(out + i, &value, sizeof(value));
  };
  if (n < 8) {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<float>(source[i]) * scale[i] + offset[i];
    return;
  }
  for (int64_t i = 0; i + 8 <= n; i += 8) eight(i);
  if (n % 8 != 0) eight(n - 8);
}

// out = fill, for the few elements beside an image.
void paint(const float* fill, float* out, int64_t n) {
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const Lanes<4> value = load<4>(fill + i);
    std::memcpy(out + i, &value, sizeof(value));
  }
  for (; i < n; ++i) out[i] = fill[i];
}

// Asks for `count` elements before they are needed: a line of the next image with each line of this
// one, because rows come in random order, which no hardware foresees.
template <class T>
void prefetch(const T* from, int64_t count) {
  constexpr int64_t kCacheLine = 64;
  const char* first = reinterpret_cast<const char*>(from);
  const int64_t bytes = count * static_cast<int64_t>(sizeof(T));
  for (int64_t i = 0; i < bytes; i += kCacheLine) __builtin_prefetch(first + i);
}

// What reverse_pixels may write behind its last pixel.
constexpr int64_t kReverseSlack = 16;

// Copies the `pixels` pixels up to the one at `last`, in reverse order. Bytes go by the register:
// as many whole pixels as it holds are turned round by one shuffle.
template <int C, class T>
void reverse_pixels(const T* last, T* out, int64_t pixels) {
#ifndef __clang__  // which has no shuffle by a variable order
  if constexpr (sizeof(T) == 1) {
    constexpr int kBytes = 16, kPixels = kBytes / C;
    using Bytes [[gnu::vector_size(kBytes)]] = uint8_t;
    Bytes order{};
    for (int i = 0; i < kPixels; ++i)
      for (int c = 0; c < C; ++c) order[i * C + c] = static_cast<uint8_t>(kBytes - C * (i + 1) + c);
    for (; pixels * C >= kBytes; pixels -= kPixels, last -= kPixels * C, out += kPixels * C) {
      Bytes bytes;
      std::memcpy(&bytes, last + C - kBytes, kBytes);
      bytes = __builtin_shuffle(bytes, order);
      std::memcpy(out, &bytes, kBytes);
    }
  }
#endif
  for (int64_t i = 0; i < pixels; ++i)
    for (int c = 0; c < C; ++c) out[i * C + c] = last[c - i * C];
}

// Mirrored lines are turned round first, all of them: a line that was just written by the register
// cannot be read at once by wider ones without waiting.
template <int C, class T>
void shift_image(const T* source, Size in, const PixelArea& area, const Shift& shift, Span columns,
                 Span lines, const Pattern& pattern, std::vector<T>& scratch, const T* next,
                 float* out, Size canvas) {
  columns = intersect(columns, sources_inside(shift.x0, shift.step_x, area.columns, canvas.width));
  lines = intersect(lines, sources_inside(shift.y0, shift.step_y, area.lines, canvas.height));
  if (columns.begin == columns.end) lines.end = lines.begin;
  const int64_t pitch = canvas.width * C, first = columns.begin * C, end = columns.end * C;
  const T* pixels = source + (shift.y0 + shift.step_y * lines.begin) * in.width * C +
                    (shift.x0 + shift.step_x * columns.begin) * C;
  int64_t step = shift.step_y * in.width * C;  // from line to line
  if (shift.step_x < 0) {
    scratch.resize(static_cast<size_t>(canvas.height * pitch + kReverseSlack));
    for (int64_t y = lines.begin; y < lines.end; ++y)
      reverse_pixels<C>(pixels + (y - lines.begin) * step, scratch.data() + y * pitch,
                        columns.end - columns.begin);
    pixels = scratch.data() + lines.begin * pitch;
    step = pitch;
  }
  for (int64_t y = 0; y < canvas.height; ++y, out += pitch) {
    if (y < in.height) prefetch(next + y * in.width * C, in.width * C);
    if (y < lines.begin || y >= lines.end) {
      std::copy_n(pattern.fill(), pitch, out);
      continue;
    }
    paint(pattern.fill(), out, first);
    convert(pixels, pattern.scale(), pattern.offset(), out + first, end - first);
    paint(pattern.fill() + end, out + end, pitch - end);
    pixels += step;
  }
}

void erase_area(const Erase& erase, const Pattern& pattern, int64_t channels, float* out,
                Size canvas) {
  const ErasedArea area(erase, canvas);
  const int64_t begin = area.columns.begin, end = area.columns.end;
  for (int64_t y = area.lines.begin; y < area.lines.end; ++y) {
    float* line = out + y * canvas.width * channels;
    if (area.upright)
      std::copy_n(pattern.fill(), (end - begin) * channels, line + begin * channels);
    else
      for (int64_t x = begin; x < end; ++x)
        if (area.covers(x, y)) std::copy_n(pattern.fill(), channels, line + x * channels);
  }
}

template <int C, class T>
void augment_rows(CpuContext& ctx, const View& images, std::span<const AugmentRow> rows,
                  const View& out, double unit) {
  const Size in{images.shape[1], images.shape[2]}, canvas{out.shape[1], out.shape[2]};
  const T* source = images.as<T>();
  float* target = out.as<float>();
  const auto count = static_cast<int64_t>(rows.size());
  parallel_for(ctx, count, kImageGrain, [&](int64_t begin, int64_t end) {
    Pattern pattern(canvas.width, C), uncoloured(canvas.width, C);
    std::vector<T> scratch;
    std::vector<float> framed;
    Taps taps(static_cast<size_t>(canvas.width));
    Resampler<T> resampler;
    const int64_t pixels = canvas.height * canvas.width, image = in.height * in.width * C;
    for (int64_t r = begin; r < end; ++r) {
      AugmentRow row = rows[r];
      if (!row.colours.empty()) row.scale = {1, 1, 1, 1}, row.offset = {};
      Pattern& sampled = row.colours.empty() ? pattern : uncoloured;
      sampled.prepare(row, unit);
      const T* from = source + row.source * image;
      const T* next = r + 1 < end ? source + rows[r + 1].source * image : from;
      float* to = target + r * pixels * C;
      const Span columns = centres_inside(row.clip.x0, row.clip.x1, canvas.width);
      const Span lines = centres_inside(row.clip.y0, row.clip.y1, canvas.height);
      const PixelArea area = pixel_area(row.area, in);
      Shift shift;
      switch (kind_of(row, shift)) {
        case MapKind::Shift:
          shift_image<C>(from, in, area, shift, columns, lines, sampled, scratch, next, to, canvas);
          break;
        case MapKind::Bilinear:
          frame_source<C>(from, in, area, row.fill, unit, framed);
          sample_image<C>(framed, in, row.inverse, columns, lines, sampled, taps, to, canvas);
          break;
        case MapKind::Resample:
          resampler.template run<C>(from, in, row, columns, lines, sampled, to, canvas);
          break;
        case MapKind::Footprint:
          frame_source<C>(from, in, area, row.fill, unit, framed);
          sample_footprints<C>(framed, in, row, unit, columns, lines, sampled, to, canvas);
      }
      if (!row.colours.empty()) {
        change_colours(row.colours, to, canvas.height, canvas.width, C, row.fill);
        row.scale = rows[r].scale, row.offset = rows[r].offset;
        pattern.prepare(row, 1);
        for (int64_t y = 0; y < canvas.height; ++y) {
          float* line = to + y * canvas.width * C;
          for (int64_t i = 0; i < canvas.width * C; ++i)
            line[i] = line[i] * pattern.scale()[i] + pattern.offset()[i];
        }
      }
      for (const Erase& erase : row.erase) erase_area(erase, pattern, C, to, canvas);
    }
  });
}

template <class T>
void augment_any(CpuContext& ctx, const View& images, std::span<const AugmentRow> rows,
                 const View& out, double unit) {
  switch (images.shape[3]) {
    case 1:
      return augment_rows<1, T>(ctx, images, rows, out, unit);
    case 2:
      return augment_rows<2, T>(ctx, images, rows, out, unit);
    case 3:
      return augment_rows<3, T>(ctx, images, rows, out, unit);
    default:
      return augment_rows<4, T>(ctx, images, rows, out, unit);
  }
}

bool is_nan(const Rect& r) {
  return std::isnan(r.x0) || std::isnan(r.y0) || std::isnan(r.x1) || std::isnan(r.y1);
}
bool finite(const Affine& m) { return std::isfinite(m.a + m.b + m.c + m.d + m.e + m.f); }

}  // namespace

void check_augment(const View& images, std::span<const AugmentRow> rows, const View& out) {
  check(images.shape.rank() == 4 && images.is_contiguous(),
        "[augment] images must be contiguous (N, H, W, C):", images.shape);
  check(out.shape.rank() == 4 && out.is_contiguous() && out.dtype == Dtype::F32,
        "[augment] out must be contiguous f32 (B, h, w, C):", out.dtype, out.shape);
  const int64_t channels = images.shape[3];
  check(channels >= 1 && channels <= kMaxChannels, "[augment] 1 to 4 channels, got", channels);
  check(out.shape[3] == channels, "[augment] channels do not match:", images.shape, out.shape);
  check(out.shape[0] == static_cast<int64_t>(rows.size()), "[augment] got", rows.size(),
        "rows for out", out.shape);
  check(images.shape[1] > 0 && images.shape[2] > 0 && out.shape[1] > 0 && out.shape[2] > 0,
        "[augment] empty images:", images.shape, out.shape);
  for (const AugmentRow& row : rows) {
    check(row.source >= 0 && row.source < images.shape[0], "[augment] source", row.source,
          "is not among the images", images.shape);
    check(finite(row.inverse), "[augment] the map is not finite, source", row.source);
    check(!is_nan(row.area), "[augment] the area is not a number, source", row.source);
    for (const Window& window : row.windows)
      check(finite(window.to_rect), "[augment] the map of a window is not finite, source",
            row.source);
    check(row.colours.empty() || channels == 1 || channels == 3,
          "[augment] changes of colour need 1 or 3 channels, got", channels);
    for (const ColourChange& change : row.colours)
      if (change.kind == ColourKind::Blur) check_blur(change);
    for (const Erase& erase : row.erase)
      check(finite(erase.to_rect) && std::fabs(erase.to_rect.determinant()) > 1e-12,
            "[augment] the map of an erased area is singular, source", row.source);
  }
  check(images.dtype == Dtype::U8 || images.dtype == Dtype::F32,
        "[augment] images must be u8 or f32, got", images.dtype);
}

void augment(CpuContext& ctx, const View& images, std::span<const AugmentRow> rows,
             const View& out) {
  check_augment(images, rows, out);
  if (images.dtype == Dtype::U8) return augment_any<uint8_t>(ctx, images, rows, out, 1.0 / 255);
  augment_any<float>(ctx, images, rows, out, 1.0);
}

}  // namespace ditto::kernels
