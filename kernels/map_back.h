// Predictions back into the frame of the original image: one implementation for losses
// (LossTransform), models, test-time augmentation and the viewer.
//
// What a network sees of an image is recorded in a Frame (core/frame.h). On the way back
//   class probabilities    stay: the image has the classes that its replica has;
//   boxes                  go through the inverse of the hull (core/box_map.h);
//   masks in RoI space     are reversed where the image was mirrored;
//   masks, full frame      go pixel by pixel (core/nearest_map.h: warp(mask, NearestMap::back(f)));
//   dense maps             of probabilities are interpolated, of labels taken pixel by pixel.
#pragma once

#include <span>

#include "core/context.h"
#include "core/frame.h"
#include "core/view.h"

namespace ditto::kernels {

enum class ClipBoxes { No, ToSource };

// boxes (B, N, 4) f32 or f64 as x0 y0 x1 y1 on the canvases of `frames`, one of them per image, to
// `out`, of the same shape and dtype, in the sources' frames; computed in double. ToSource cuts
// them at the source's border. In place is allowed. Throws "[map_back] ..." on bad shapes or a
// frame through which boxes cannot come back.
void boxes_back(CpuContext& ctx, const View& boxes, std::span<const Frame> frames, ClipBoxes clip,
                const View& out);
void boxes_back(CudaContext& ctx, const View& boxes, std::span<const Frame> frames, ClipBoxes clip,
                const View& out);

// The way there: boxes in the sources' frames to their hulls on the canvases.
void boxes_forward(CpuContext& ctx, const View& boxes, std::span<const Frame> frames,
                   const View& out);
void boxes_forward(CudaContext& ctx, const View& boxes, std::span<const Frame> frames,
                   const View& out);

// masks (B, N, h, w) f32 over boxes (28 x 28 of a mask head) to `out`, not the same memory: columns
// or lines reversed where the frame mirrors; its own inverse. Throws "[map_back] ..." on bad
// shapes, "[roi_flip] ..." on a frame that turns.
void roi_masks_back(CpuContext& ctx, const View& masks, std::span<const Frame> frames,
                    const View& out);
void roi_masks_back(CudaContext& ctx, const View& masks, std::span<const Frame> frames,
                    const View& out);

// maps (B, h, w, K) f32 of the canvases to out (B, H, W, K) of the sources, which are of one size,
// interpolated between pixel centres (bilinear; beyond the last visible pixel it is repeated, so
// that upright padding is never blended in; beside a cut that was turned, the neighbours are what
// the map says there). `seen` (B, H, W) u8 becomes 1 for pixels with their centre inside every cut
// of the frame, as with masks; elsewhere it is 0, and so is out. Throws "[map_back] ..." on bad
// shapes.
void class_maps_back(CpuContext& ctx, const View& maps, std::span<const Frame> frames,
                     const View& out, const View& seen);
void class_maps_back(CudaContext& ctx, const View& maps, std::span<const Frame> frames,
                     const View& out, const View& seen);

// labels (B, h, w) u8 or i64 of the canvases to out (B, H, W) of the sources; `outside` where the
// canvas does not show the pixel. Throws "[map_back] ..." on bad shapes.
void label_maps_back(CpuContext& ctx, const View& labels, std::span<const Frame> frames,
                     int64_t outside, const View& out);
void label_maps_back(CudaContext& ctx, const View& labels, std::span<const Frame> frames,
                     int64_t outside, const View& out);

}  // namespace ditto::kernels
