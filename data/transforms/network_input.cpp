#include "data/transforms/network_input.h"

#include <cmath>

#include "data/transforms/resize.h"

namespace ditto::data {
namespace {

ImageSize floored(const ImageInfo& info, const NetworkInputOptions& o) {
  const auto shorter = static_cast<float>(std::min(info.width, info.height));
  const auto longer = static_cast<float>(std::max(info.width, info.height));
  const float scale =
      std::min(static_cast<float>(o.shorter) / shorter, static_cast<float>(o.longest) / longer);
  const auto scaled = [scale](int size) {
    return std::max(1, static_cast<int>(std::floor(double{scale} * size)));
  };
  return {scaled(info.width), scaled(info.height)};
}

}  // namespace

NetworkInput::NetworkInput(const NetworkInputOptions& options) : options_(options) {
  check(options.shorter >= 1 && options.longest >= options.shorter && options.longest <= 1 << 16,
        "[network_input] 1 <= shorter <= longest <= 65536, got", options.shorter, options.longest);
  check(options.divisor >= 1 && options.divisor <= 1 << 16,
        "[network_input] divisor in [1, 65536], got", options.divisor);
  check((options.width > 0) == (options.height > 0) && options.width >= 0 && options.height >= 0,
        "[network_input] width and height of the canvas must both be given, got", options.width,
        options.height);
}

Transform NetworkInput::draw(Rng&, const ImageInfo& info) const {
  const NetworkInputOptions& o = options_;
  const ImageSize size = o.floor_f32 ? floored(info, o) : fit_sides(info, o.shorter, o.longest);
  const auto padded = [&](int side) { return (side + o.divisor - 1) / o.divisor * o.divisor; };
  const int width = o.width > 0 ? o.width : padded(size.width);
  const int height = o.height > 0 ? o.height : padded(size.height);
  check(size.width <= width && size.height <= height, "[network_input] an image resized to",
        size.width, "x", size.height, "does not fit the canvas of", width, "x", height);
  Transform out = Transform::resized(info, {0, 0, double(info.width), double(info.height)},
                                     size.width, size.height);
  out.append(Transform::geometric(out.canvas(), Affine{}, width, height));
  return out;
}

}  // namespace ditto::data
