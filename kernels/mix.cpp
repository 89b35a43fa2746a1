#include "kernels/mix.h"

#include <algorithm>
#include <string>

#include "core/parallel.h"

namespace ditto::kernels {
namespace {

// Below this many images a second thread costs more than it saves.
constexpr int64_t kImageGrain = 8;

}  // namespace

void check_mix_row(const char* op, const MixRow& row, int64_t width, int64_t height) {
  const PixelBox& box = row.box;
  if (!(box.x0 >= 0 && box.y0 >= 0 && box.x0 <= box.x1 && box.y0 <= box.y1 && box.x1 <= width &&
        box.y1 <= height))
    fail(std::string("[") + op + "] box outside the image: x", box.x0, box.x1, "y", box.y0, box.y1,
         "in", width, "x", height);
  if (!(row.keep >= 0 && row.keep <= 1))
    fail(std::string("[") + op + "] keep must be in [0, 1], got", row.keep);
}

void check_mix_images(const View& images, std::span<const MixRow> rows, const View& out) {
  check(images.shape.rank() == 4 && images.is_contiguous() && out.is_contiguous() &&
            images.shape == out.shape,
        "[mix_images] images and out must be contiguous (B, H, W, C) of one shape:", images.shape,
        out.shape);
  const int64_t batch = images.shape[0], height = images.shape[1], width = images.shape[2];
  check(static_cast<int64_t>(rows.size()) == batch, "[mix_images] got", rows.size(),
        "rows for images", images.shape);
  const float *in = images.as<float>(), *to = out.as<float>();
  check(in + images.numel() <= to || to + images.numel() <= in,
        "[mix_images] images and out share memory");
  for (const MixRow& row : rows) {
    check(row.partner >= 0 && row.partner < batch,
          "[mix_images] partner out of range:", row.partner, "of", batch);
    check_mix_row("mix_images", row, width, height);
  }
}

void check_mix_labels(const View& labels, std::span<const MixRow> rows, const View& targets) {
  check(labels.shape.rank() == 1 && labels.is_contiguous() && targets.shape.rank() == 2 &&
            targets.is_contiguous() && targets.shape[0] == labels.shape[0] &&
            static_cast<int64_t>(rows.size()) == labels.shape[0],
        "[mix_labels] labels (B), targets (B, K) and B rows, got", labels.shape, targets.shape,
        rows.size());
  for (const MixRow& row : rows)
    check(row.partner >= 0 && row.partner < labels.shape[0],
          "[mix_labels] partner out of range:", row.partner, "of", labels.shape[0]);
}

void mix_images(CpuContext& ctx, const View& images, std::span<const MixRow> rows,
                const View& out) {
  check_mix_images(images, rows, out);
  const int64_t batch = images.shape[0], height = images.shape[1], width = images.shape[2],
                channels = images.shape[3], size = height * width * channels;
  const float* in = images.as<float>();
  float* to = out.as<float>();
  parallel_for(ctx, batch, kImageGrain, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const MixRow& row = rows[r];
      const float* own = in + r * size;
      const float* other = in + row.partner * size;
      float* mixed = to + r * size;
      if (row.kind == MixKind::Mixup) {
        for (int64_t i = 0; i < size; ++i) mixed[i] = row.keep * own[i] + (1 - row.keep) * other[i];
        continue;
      }
      std::copy_n(own, size, mixed);
      if (row.kind == MixKind::None) continue;
      for (int64_t y = row.box.y0; y < row.box.y1; ++y) {
        const int64_t start = (y * width + row.box.x0) * channels;
        std::copy_n(other + start, (row.box.x1 - row.box.x0) * channels, mixed + start);
      }
    }
  });
}

void mix_labels(CpuContext&, const View& labels, std::span<const MixRow> rows,
                const View& targets) {
  check_mix_labels(labels, rows, targets);
  const int64_t* label = labels.as<int64_t>();
  float* target = targets.as<float>();
  const int64_t batch = labels.shape[0], classes = targets.shape[1];
  for (int64_t r = 0; r < batch; ++r)
    check(label[r] >= 0 && label[r] < classes, "[mix_labels] label", label[r], "of row", r,
          "is outside [0, K), K =", classes);
  std::fill_n(target, batch * classes, 0.0f);
  for (int64_t r = 0; r < batch; ++r) {
    const MixRow& row = rows[r];
    const float keep = row.kind == MixKind::None ? 1.0f : row.keep;
    target[r * classes + label[r]] += keep;
    if (row.kind != MixKind::None) target[r * classes + label[row.partner]] += 1 - keep;
  }
}

}  // namespace ditto::kernels
