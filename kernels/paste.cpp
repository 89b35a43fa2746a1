#include "kernels/paste.h"

#include "core/error.h"
#include "core/parallel.h"

namespace ditto::kernels {

void check_paste(const View& source, const View& weights, const View& images) {
  check(images.shape.rank() == 4 && images.is_contiguous() && source.is_contiguous() &&
            images.shape == source.shape,
        "[paste] source and images must be contiguous (B, H, W, C) of one shape:", source.shape,
        images.shape);
  check(weights.shape.rank() == 3 && weights.is_contiguous() &&
            weights.shape[0] == images.shape[0] && weights.shape[1] == images.shape[1] &&
            weights.shape[2] == images.shape[2],
        "[paste] weights must be contiguous (B, H, W) for images", images.shape, "got",
        weights.shape);
  static_cast<void>(source.as<float>()), static_cast<void>(weights.as<float>());
  static_cast<void>(images.as<float>());
}

void paste(CpuContext& ctx, const View& source, const View& weights, const View& images) {
  check_paste(source, weights, images);
  constexpr int64_t kGrain = 1 << 15;  // pixels
  const int64_t channels = images.shape[3];
  const float *from = source.as<float>(), *weight = weights.as<float>();
  float* to = images.as<float>();
  parallel_for(ctx, weights.numel(), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float w = weight[i];
      if (w == 0) continue;
      for (int64_t k = i * channels; k < (i + 1) * channels; ++k)
        to[k] = w == 1 ? from[k] : w * from[k] + (1 - w) * to[k];
    }
  });
}

}  // namespace ditto::kernels
