// Pasting: pixels of one batch over another, with a weight per pixel (simple copy-paste,
// data/copy_paste.h).
#pragma once

#include "core/context.h"
#include "core/view.h"

namespace ditto::kernels {

// images = weights * source + (1 - weights) * images, in place. images and source (B, H, W, C) f32,
// weights (B, H, W) f32, contiguous. A weight of 1 or 0 copies or keeps the pixel exactly. Throws
// "[paste] ..." on other shapes.
void paste(CpuContext& ctx, const View& source, const View& weights, const View& images);
void paste(CudaContext& ctx, const View& source, const View& weights, const View& images);

// What both devices check before they start.
void check_paste(const View& source, const View& weights, const View& images);

}  // namespace ditto::kernels
