#include "kernels/map_back.h"

#include <algorithm>

#include "core/parallel.h"
#include "kernels/map_back_math.h"

namespace ditto::kernels {
namespace {

constexpr int64_t kBoxGrain = 1 << 12, kPixelGrain = 1 << 13;

bool separate(const View& a, const View& b) {
  const auto* x = static_cast<const char*>(a.data);
  const auto* y = static_cast<const char*>(b.data);
  return x + a.numel() * size_of(a.dtype) <= y || y + b.numel() * size_of(b.dtype) <= x;
}

void check_dense(const char* op, const View& maps, std::span<const Frame> frames, const View& out) {
  check(maps.is_contiguous() && out.is_contiguous() && maps.shape[0] == out.shape[0] &&
            maps.dtype == out.dtype,
        "[map_back] input and output must be contiguous, of one dtype and batch size:", op,
        maps.shape, out.shape);
  check(static_cast<int64_t>(frames.size()) == maps.shape[0], "[map_back] one frame per image in",
        op, "got", frames.size(), "for", maps.shape);
  for (const Frame& frame : frames)
    check(frame.height == maps.shape[1] && frame.width == maps.shape[2] &&
              frame.source_height == out.shape[1] && frame.source_width == out.shape[2],
          "[map_back]", op, "got a frame from height", frame.source_height, "width",
          frame.source_width, "to height", frame.height, "width", frame.width, "for", maps.shape,
          "and", out.shape);
  check(separate(maps, out), "[map_back] input and output share memory in", op);
}

// f(image, first source pixel, last) over all pixels of all images.
template <class F>
void for_pixels(CpuContext& ctx, int64_t images, int64_t pixels, F&& f) {
  parallel_for(ctx, images * pixels, kPixelGrain, [&](int64_t begin, int64_t end) {
    while (begin < end) {
      const int64_t image = begin / pixels, stop = std::min(end, (image + 1) * pixels);
      f(image, begin - image * pixels, stop - image * pixels);
      begin = stop;
    }
  });
}

template <class T>
void labels_back(CpuContext& ctx, const View& labels, std::span<const Frame> frames,
                 int64_t outside, const View& out) {
  const T *from = labels.as<T>(), fill = static_cast<T>(outside);
  T* to = out.as<T>();
  const int64_t width = out.shape[2], pixels = out.shape[1] * width;
  const DenseBack back(frames);
  for_pixels(ctx, out.shape[0], pixels, [&](int64_t b, int64_t begin, int64_t end) {
    const NearestLookup& row = back.rows[static_cast<size_t>(b)];
    const T* map = from + b * labels.shape[1] * labels.shape[2];
    for (int64_t i = begin; i < end; ++i) {
      int u = 0, v = 0;
      to[b * pixels + i] = row.find(back.windows.data(), static_cast<int>(i % width),
                                    static_cast<int>(i / width), u, v)
                               ? map[v * labels.shape[2] + u]
                               : fill;
    }
  });
}

// Row: BoxBackRow or Affine, one per image.
template <class T, class Row>
void map_boxes_as(CpuContext& ctx, const View& boxes, const std::vector<Row>& rows,
                  const View& out) {
  const T* from = boxes.as<T>();
  T* to = out.as<T>();
  const int64_t per_image = boxes.shape[1];
  parallel_for(ctx, boxes.shape[0] * per_image, kBoxGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      map_box(rows[static_cast<size_t>(i / per_image)], from + 4 * i, to + 4 * i);
  });
}

template <class Row>
void map_boxes(CpuContext& ctx, const View& boxes, const std::vector<Row>& rows, const View& out) {
  if (boxes.dtype == Dtype::F32) return map_boxes_as<float>(ctx, boxes, rows, out);
  map_boxes_as<double>(ctx, boxes, rows, out);
}

}  // namespace

void check_boxes(const char* op, const View& boxes, std::span<const Frame> frames,
                 const View& out) {
  check(boxes.shape.rank() == 3 && boxes.shape[2] == 4 && boxes.is_contiguous() &&
            out.is_contiguous() && out.shape == boxes.shape && out.dtype == boxes.dtype,
        "[map_back] boxes and out must be contiguous (B, N, 4) of one dtype:", op, boxes.shape,
        out.shape);
  check(boxes.dtype == Dtype::F32 || boxes.dtype == Dtype::F64,
        "[map_back] boxes must be f32 or f64 in", op, "got", boxes.dtype);
  check(static_cast<int64_t>(frames.size()) == boxes.shape[0], "[map_back] one frame per image in",
        op, "got", frames.size(), "for boxes", boxes.shape);
}

void check_roi_masks(const View& masks, std::span<const Frame> frames, const View& out) {
  check(masks.shape.rank() == 4 && masks.is_contiguous() && out.is_contiguous() &&
            out.shape == masks.shape && separate(masks, out),
        "[map_back] roi_masks_back: masks and out must be contiguous (B, N, h, w), not the same "
        "memory:",
        masks.shape, out.shape);
  static_cast<void>(masks.as<float>()), static_cast<void>(out.as<float>());
  check(static_cast<int64_t>(frames.size()) == masks.shape[0],
        "[map_back] roi_masks_back: one frame per image, got", frames.size(), "for masks",
        masks.shape);
}

void check_class_maps(const View& maps, std::span<const Frame> frames, const View& out,
                      const View& seen) {
  check(maps.shape.rank() == 4 && out.shape.rank() == 4 && maps.shape[3] == out.shape[3],
        "[map_back] class_maps_back: maps (B, h, w, K) and out (B, H, W, K):", maps.shape,
        out.shape);
  check(seen.shape.rank() == 3 && seen.is_contiguous() && seen.shape[0] == out.shape[0] &&
            seen.shape[1] == out.shape[1] && seen.shape[2] == out.shape[2],
        "[map_back] class_maps_back: seen must be contiguous (B, H, W) for", out.shape, "got",
        seen.shape);
  static_cast<void>(maps.as<float>()), static_cast<void>(seen.as<uint8_t>());
  check_dense("class_maps_back", maps, frames, out);
}

void check_label_maps(const View& labels, std::span<const Frame> frames, const View& out) {
  check(labels.shape.rank() == 3 && out.shape.rank() == 3,
        "[map_back] label_maps_back: labels (B, h, w) and out (B, H, W):", labels.shape, out.shape);
  check(labels.dtype == Dtype::U8 || labels.dtype == Dtype::I64,
        "[map_back] label_maps_back: labels must be u8 or i64, got", labels.dtype);
  check_dense("label_maps_back", labels, frames, out);
}

std::vector<BoxBackRow> box_back_rows(std::span<const Frame> frames, ClipBoxes clip) {
  std::vector<BoxBackRow> rows;
  for (const Frame& frame : frames)
    rows.push_back({BoxBack(frame.map),
                    clip == ClipBoxes::No
                        ? kEverywhere
                        : Rect{0, 0, double(frame.source_width), double(frame.source_height)}});
  return rows;
}

std::vector<Affine> frame_maps(std::span<const Frame> frames) {
  std::vector<Affine> maps;
  for (const Frame& frame : frames) maps.push_back(frame.map);
  return maps;
}

DenseBack::DenseBack(std::span<const Frame> frames) {
  for (const Frame& frame : frames) rows.emplace_back(NearestMap::back(frame), windows);
}

void boxes_back(CpuContext& ctx, const View& boxes, std::span<const Frame> frames, ClipBoxes clip,
                const View& out) {
  check_boxes("boxes_back", boxes, frames, out);
  map_boxes(ctx, boxes, box_back_rows(frames, clip), out);
}

void boxes_forward(CpuContext& ctx, const View& boxes, std::span<const Frame> frames,
                   const View& out) {
  check_boxes("boxes_forward", boxes, frames, out);
  map_boxes(ctx, boxes, frame_maps(frames), out);
}

void roi_masks_back(CpuContext& ctx, const View& masks, std::span<const Frame> frames,
                    const View& out) {
  check_roi_masks(masks, frames, out);
  std::vector<RoiFlip> flips;
  for (const Frame& frame : frames) flips.push_back(roi_flip(frame.map));
  const int64_t per_image = masks.shape[1], height = masks.shape[2], width = masks.shape[3];
  const float* from = masks.as<float>();
  float* to = out.as<float>();
  parallel_for(ctx, masks.shape[0] * per_image, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const RoiFlip flip = flips[static_cast<size_t>(i / per_image)];
      for (int64_t y = 0; y < height; ++y) {
        const float* line = from + (i * height + (flip.rows ? height - 1 - y : y)) * width;
        float* target = to + (i * height + y) * width;
        if (flip.columns)
          std::reverse_copy(line, line + width, target);
        else
          std::copy_n(line, width, target);
      }
    }
  });
}

void class_maps_back(CpuContext& ctx, const View& maps, std::span<const Frame> frames,
                     const View& out, const View& seen) {
  check_class_maps(maps, frames, out, seen);
  const float* from = maps.as<float>();
  float* to = out.as<float>();
  uint8_t* mark = seen.as<uint8_t>();
  const int64_t channels = out.shape[3], width = out.shape[2], pixels = out.shape[1] * width;
  const int64_t map_width = maps.shape[2], map_size = maps.shape[1] * map_width * channels;
  const DenseBack back(frames);
  for_pixels(ctx, out.shape[0], pixels, [&](int64_t b, int64_t begin, int64_t end) {
    const NearestLookup& row = back.rows[static_cast<size_t>(b)];
    for (int64_t i = begin; i < end; ++i) {
      double u = 0, v = 0;
      const bool shown = row.find(back.windows.data(), static_cast<int>(i % width),
                                  static_cast<int>(i / width), u, v);
      float* pixel = to + (b * pixels + i) * channels;
      mark[b * pixels + i] = shown ? 1 : 0;
      if (!shown) {
        std::fill_n(pixel, channels, 0.0f);
        continue;
      }
      const Between across = between(u, row.columns), down = between(v, row.rows);
      for (int64_t k = 0; k < channels; ++k)
        pixel[k] = interpolate(from + b * map_size, map_width, channels, k, across, down);
    }
  });
}

void label_maps_back(CpuContext& ctx, const View& labels, std::span<const Frame> frames,
                     int64_t outside, const View& out) {
  check_label_maps(labels, frames, out);
  if (labels.dtype == Dtype::I64) return labels_back<int64_t>(ctx, labels, frames, outside, out);
  check(outside >= 0 && outside <= 255,
        "[map_back] label_maps_back: outside in [0, 255] for u8, got", outside);
  labels_back<uint8_t>(ctx, labels, frames, outside, out);
}

}  // namespace ditto::kernels
