#include "data/transforms/random_resized_crop.h"

#include <cmath>

namespace ditto::data {
namespace {

Rect box(double x, double y, double width, double height) { return {x, y, x + width, y + height}; }

Rect middle(const ImageInfo& info, const ResizedCropOptions& o) {
  double width = info.width, height = info.height;
  if (width / height < o.ratio_low)
    height = std::nearbyint(width / o.ratio_low);
  else if (width / height > o.ratio_high)
    width = std::nearbyint(height * o.ratio_high);
  return box(std::floor((info.width - width) / 2), std::floor((info.height - height) / 2), width,
             height);
}

Rect draw_area(Rng& rng, const ImageInfo& info, const ResizedCropOptions& o) {
  const double area = double(info.width) * info.height;
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double target = area * rng.uniform(o.scale_low, o.scale_high);
    const double ratio = std::exp(rng.uniform(std::log(o.ratio_low), std::log(o.ratio_high)));
    const double width = std::nearbyint(std::sqrt(target * ratio));
    const double height = std::nearbyint(std::sqrt(target / ratio));
    if (width < 1 || height < 1 || width > info.width || height > info.height) continue;
    const auto free = [](double size, double part) { return static_cast<uint64_t>(size - part); };
    const auto y = static_cast<double>(rng.below(free(info.height, height) + 1));
    const auto x = static_cast<double>(rng.below(free(info.width, width) + 1));
    return box(x, y, width, height);
  }
  return middle(info, o);
}

}  // namespace

RandomResizedCrop::RandomResizedCrop(int width, int height, const ResizedCropOptions& options)
    : width_(width), height_(height), options_(options) {
  check(width >= 1 && height >= 1, "[random_resized_crop] the size must be at least 1 x 1, got",
        width, height);
  check(options.scale_low > 0 && options.scale_low <= options.scale_high && options.scale_high <= 1,
        "[random_resized_crop] 0 < scale_low <= scale_high <= 1, got", options.scale_low,
        options.scale_high);
  check(options.ratio_low > 0 && options.ratio_low <= options.ratio_high &&
            options.ratio_high <= 1000,
        "[random_resized_crop] 0 < ratio_low <= ratio_high <= 1000, got", options.ratio_low,
        options.ratio_high);
}

Transform RandomResizedCrop::draw(Rng& rng, const ImageInfo& info) const {
  return Transform::resized(info, draw_area(rng, info, options_), width_, height_);
}

}  // namespace ditto::data
