#include "data/transforms/rand_affine.h"

#include <cmath>
#include <numbers>

#include "core/box_map.h"

namespace ditto::data {
namespace {

enum class Operation { Nothing, ShearX, ShearY, TranslateX, TranslateY, Rotate };
constexpr uint64_t kOperations = 6;

// `strength` in [-1, 1].
Affine map_of(Operation operation, double strength, const ImageInfo& info) {
  const auto pixels = [strength](int size) { return std::trunc(strength * 150.0 / 331.0 * size); };
  const double x = 0.5 * info.width, y = 0.5 * info.height;
  switch (operation) {
    case Operation::Nothing:
      return {};
    case Operation::ShearX:
      return {1, 0.3 * strength, 0, 0, 1, 0};
    case Operation::ShearY:
      return {1, 0, 0, 0.3 * strength, 1, 0};
    case Operation::TranslateX:
      return Affine::translation(pixels(info.width), 0);
    case Operation::TranslateY:
      return Affine::translation(0, pixels(info.height));
    case Operation::Rotate:
      return Affine::translation(-x, -y)
          .then(Affine::rotation(strength * std::numbers::pi / 6))
          .then(Affine::translation(x, y));
  }
  return {};
}

}  // namespace

RandAffine::RandAffine(const RandAffineOptions& options) : options_(options) {
  check(options.operations >= 0 && options.operations <= 100,
        "[rand_affine] operations in [0, 100], got", options.operations);
  check(options.magnitude >= 0 && options.magnitude <= 1, "[rand_affine] magnitude in [0, 1], got",
        options.magnitude);
}

Transform RandAffine::draw(Rng& rng, const ImageInfo& info) const {
  Transform out(info);
  for (int i = 0; i < options_.operations; ++i) {
    const auto operation = static_cast<Operation>(rng.below(kOperations));
    const double strength = rng.chance(0.5) ? options_.magnitude : -options_.magnitude;
    const Affine map = map_of(operation, strength, info);
    if (map == Affine{}) continue;
    if (options_.boxes_come_back &&
        !(hull_condition(out.frame().map.then(map)) <= kLossHullCondition))
      continue;
    out.append(Transform::geometric(out.canvas(), map, info.width, info.height));
  }
  return out;
}

}  // namespace ditto::data
