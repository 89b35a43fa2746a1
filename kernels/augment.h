// Augmentation: one pass from stored u8 images to a normalised f32 batch, and the mixing of whole
// batches (CutMix, mixup).
//
// Geometry, erased areas and the per-channel affine of a row are applied together, so an image is
// resampled at most once however many transforms were composed. Coordinates are continuous
// (core/frame.h): output pixel (i, j) has its centre at (i + 0.5, j + 0.5).
#pragma once

#include <array>
#include <limits>
#include <span>

#include "core/context.h"
#include "core/frame.h"
#include "core/view.h"

namespace ditto::kernels {

// Images have 1 to 4 channels.
inline constexpr int kMaxChannels = 4;
using ChannelValues = std::array<float, kMaxChannels>;

inline constexpr Rect kEverywhere{
    -std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(),
    std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};

// An erased area of the canvas: the points p with to_rect(p) inside rect.
struct Erase {
  Affine to_rect;
  Rect rect;
};

// How one output image is made. Values are in units of the source, where u8 counts as v / 255:
//
//   out(p) = scale * s(p) + offset,   s(p) = source(inverse(p)), or `fill` where p is outside the
//                                            source, outside `clip` or inside an erased area
struct AugmentRow {
  int64_t source = 0;   // row of `images`
  Affine inverse = {};  // canvas -> source
  Rect clip = kEverywhere;
  std::span<const Erase> erase = {};
  ChannelValues scale{1, 1, 1, 1};
  ChannelValues offset{};
  ChannelValues fill{};
};

// images (N, H, W, C) u8 or f32, out (B, h, w, C) f32, both contiguous; one row per output image.
// A map that only shifts by whole pixels and mirrors copies pixels exactly; any other map samples
// bilinearly, and blends with `fill` across the border. Rows are spread over the threads; the
// result does not depend on their number. Throws "[augment] ..." on a bad shape, dtype, row index
// or a non-finite map.
void augment(CpuContext& ctx, const View& images, std::span<const AugmentRow> rows,
             const View& out);

enum class MixKind : unsigned char { None, CutMix, Mixup };

// Pixels x0 <= x < x1, y0 <= y < y1.
struct PixelBox {
  int x0 = 0, y0 = 0, x1 = 0, y1 = 0;
  int64_t area() const { return int64_t{x1 - x0} * (y1 - y0); }
};

// How one row is mixed with another. `keep` is the weight of the row's own label (lambda): for
// CutMix exactly the part of the area outside `box`.
struct MixRow {
  MixKind kind = MixKind::None;
  int64_t partner = 0;
  float keep = 1;
  PixelBox box;
};

// out_r = images_r with the pixels of `box` from images_partner (CutMix), or
// keep * images_r + (1 - keep) * images_partner (mixup), or images_r.
// images and out (B, H, W, C) f32, contiguous, not the same memory: partners are read unmixed.
void mix_images(CpuContext& ctx, const View& images, std::span<const MixRow> rows, const View& out);

// targets_r = keep * onehot(labels_r) + (1 - keep) * onehot(labels_partner). labels (B) i64,
// targets (B, K) f32. Throws on a label outside [0, K), naming the row.
void mix_labels(CpuContext& ctx, const View& labels, std::span<const MixRow> rows,
                const View& targets);

}  // namespace ditto::kernels
