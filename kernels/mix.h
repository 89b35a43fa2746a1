// The mixing of whole batches: CutMix and mixup.
#pragma once

#include <cstdint>
#include <span>

#include "core/context.h"
#include "core/view.h"

namespace ditto::kernels {

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
  PixelBox box = {};
};

// out_r = images_r with the pixels of `box` from images_partner (CutMix), or
// keep * images_r + (1 - keep) * images_partner (mixup), or images_r.
// images and out (B, H, W, C) f32, contiguous, not the same memory: partners are read unmixed.
void mix_images(CpuContext& ctx, const View& images, std::span<const MixRow> rows, const View& out);

// targets_r = keep * onehot(labels_r) + (1 - keep) * onehot(labels_partner). labels (B) i64,
// targets (B, K) f32. Throws on a label outside [0, K), naming the row.
void mix_labels(CpuContext& ctx, const View& labels, std::span<const MixRow> rows,
                const View& targets);

// The same on the device of `ctx`; `rows` stay on the host. A bad label throws at the next
// synchronising call (core/cuda_fault.h).
void mix_images(CudaContext& ctx, const View& images, std::span<const MixRow> rows,
                const View& out);
void mix_labels(CudaContext& ctx, const View& labels, std::span<const MixRow> rows,
                const View& targets);

// Throws "[op] ..." unless the box is one of an image of width x height and keep is in [0, 1].
void check_mix_row(const char* op, const MixRow& row, int64_t width, int64_t height);
// What both devices check before they start.
void check_mix_images(const View& images, std::span<const MixRow> rows, const View& out);
void check_mix_labels(const View& labels, std::span<const MixRow> rows, const View& targets);

}  // namespace ditto::kernels
