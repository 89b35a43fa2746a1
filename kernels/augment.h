// Augmentation: one pass from stored u8 images to a normalised f32 batch.
//
// Geometry, changes of colour, erased areas and the per-channel affine of a row are applied
// together, so an image is resampled at most once however many transforms were composed.
// Coordinates are continuous (core/frame.h): output pixel (i, j) has its centre at (i + 0.5, j +
// 0.5).
#pragma once

#include <array>
#include <span>

#include "core/context.h"
#include "core/nearest_map.h"
#include "core/view.h"
#include "kernels/colour.h"

namespace ditto::kernels {

using ditto::kEverywhere;

// An erased area of the canvas: the points p with to_rect(p) inside rect.
struct Erase {
  Affine to_rect;
  Rect rect;
};

// How one output image is made. Values are in units of the source, where u8 counts as v / 255:
//
//   out(p) = scale * colours(s(p)) + offset,
//   s(p) = source(inverse(p)), or `fill` where p is outside the source, outside `clip` or inside an
//          erased area
//
// How the source is sampled:
//
//   whole-pixel shifts and mirrors  copied, exactly
//   `average`, an upright map       a triangle as wide as an output pixel where the image shrinks
//                                   (kernels/resample.h), torchvision's antialias=True
//   `average`, turned or sheared    the same, on the axes of the output pixel's footprint in the
//                                   source (kernels/footprint.h)
//   any other map                   bilinear
//
// The mean that a change of contrast needs is that of the canvas before areas are erased.
struct AugmentRow {
  int64_t source = 0;   // row of `images`
  Affine inverse = {};  // canvas -> source
  Rect clip = kEverywhere;
  // What earlier cuts left of the source: nothing else is shown or blended in. Of the area, pixels
  // with their centre inside are read; a pixel beside a window shows nothing.
  Rect area = kEverywhere;
  std::span<const Window> windows = {};
  // The image was resized. Then pixels whose centre comes from outside the area are fill, and those
  // inside take nothing from there; otherwise fill is blended in within a pixel of its border.
  bool average = false;
  std::span<const ColourChange> colours = {};
  std::span<const Erase> erase = {};
  ChannelValues scale{1, 1, 1, 1};
  ChannelValues offset{};
  ChannelValues fill{};
};

// images (N, H, W, C) u8 or f32, out (B, h, w, C) f32, both contiguous; one row per output image.
// Rows are spread over the threads; the result does not depend on their number. Throws
// "[augment] ..." on a bad shape, dtype, row index, a non-finite map or an area that is not a
// number.
void augment(CpuContext& ctx, const View& images, std::span<const AugmentRow> rows,
             const View& out);

// The same on the device of `ctx`, where images and out are; `rows` stay on the host. Pixels differ
// from the CPU's by roundings only.
void augment(CudaContext& ctx, const View& images, std::span<const AugmentRow> rows,
             const View& out);

}  // namespace ditto::kernels
