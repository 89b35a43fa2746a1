// Random chains of up to six transforms, images, masks and boxes, for property tests.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/rle.h"
#include "data/transforms/affine.h"
#include "data/transforms/blur.h"
#include "data/transforms/center_crop.h"
#include "data/transforms/color_jitter.h"
#include "data/transforms/crop.h"
#include "data/transforms/cutout.h"
#include "data/transforms/flip.h"
#include "data/transforms/grayscale.h"
#include "data/transforms/network_input.h"
#include "data/transforms/normalize.h"
#include "data/transforms/pad.h"
#include "data/transforms/rand_affine.h"
#include "data/transforms/random_resized_crop.h"
#include "data/transforms/resize.h"
#include "data/transforms/scale_jitter.h"
#include "data/transforms/solarize.h"
#include "data/transforms/translate.h"

namespace ditto::testing {

// Which policies a chain is made of.
enum class Chain {
  Lossless,  // flips, whole-pixel shifts, windows, padding: no pixel is blended
  Upright,   // and resizing
  Any        // and rotation, shear, colours, blur, erased areas
};

inline std::shared_ptr<const data::Augment> random_policy(Rng& rng, Chain chain) {
  using namespace data;
  const auto between = [&](int low, int high) {
    return low + static_cast<int>(rng.below(static_cast<uint64_t>(high - low + 1)));
  };
  const uint64_t kinds = chain == Chain::Lossless ? 6 : chain == Chain::Upright ? 11 : 18;
  switch (rng.below(kinds)) {
    case 0:
      return std::make_shared<RandomFlip>(0.5, 0.5);
    case 1:
      return std::make_shared<RandomTranslate>(0.2, 0.2);
    case 2:
      return std::make_shared<RandomCrop>(between(0, 6));
    case 3:
      return std::make_shared<Pad>(
          Margins{between(0, 5), between(0, 5), between(0, 5), between(0, 5)});
    case 4:
      return std::make_shared<FixedCrop>(between(-4, 4), between(-4, 4), between(30, 70),
                                         between(30, 70));
    case 5:
      return std::make_shared<CenterCrop>(between(30, 70), between(30, 70));
    case 6:
      return std::make_shared<Resize>(between(30, 80), between(30, 80));
    case 7:
      return std::make_shared<Resize>(Resize::shorter_side(between(30, 60), 90));
    case 8:
      return std::make_shared<ScaleJitter>(between(40, 70), between(40, 70),
                                           ScaleJitterOptions{.low = 0.6, .high = 1.6});
    case 9:
      return std::make_shared<RandomResizedCrop>(between(40, 70), between(40, 70),
                                                 ResizedCropOptions{.scale_low = 0.5});
    case 10:
      return std::make_shared<NetworkInput>(
          NetworkInputOptions{.shorter = between(40, 70), .longest = 100, .divisor = 16});
    case 11:
    case 12:
      return std::make_shared<RandomAffine>(AffineOptions{.degrees = 15,
                                                          .translate = 0.1,
                                                          .scale_low = 0.8,
                                                          .scale_high = 1.25,
                                                          .shear = 5,
                                                          .shear_y = 5});
    case 13:
      return std::make_shared<RandAffine>(RandAffineOptions{.magnitude = 0.4});
    case 14:
      return std::make_shared<Cutout>(between(2, 12));
    case 15:
      return std::make_shared<ColorJitter>(
          JitterOptions{.brightness = 0.4, .contrast = 0.4, .saturation = 0.4, .hue = 0.1});
    case 16:
      return rng.chance(0.5)
                 ? std::shared_ptr<const Augment>(std::make_shared<RandomSolarize>(0.5, 1))
                 : std::make_shared<RandomGrayscale>(1);
    default:
      return std::make_shared<RandomBlur>(BlurOptions{.probability = 1});
  }
}

// One to six of them.
inline std::shared_ptr<const data::Augment> random_chain(Rng& rng, Chain chain) {
  std::vector<std::shared_ptr<const data::Augment>> parts;
  for (uint64_t i = 1 + rng.below(6); i > 0; --i) parts.push_back(random_policy(rng, chain));
  return std::make_shared<data::Compose>(std::move(parts));
}

// Up to six geometric transforms, one of them a turn.
inline std::vector<data::Transform> oblique_chain(Rng& rng, const data::ImageInfo& info) {
  using namespace data;
  std::vector<Transform> steps;
  ImageInfo canvas = info;
  const uint64_t count = 2 + rng.below(5), turn = rng.below(count);
  for (uint64_t i = 0; i < count; ++i) {
    std::shared_ptr<const Augment> policy = random_policy(rng, Chain::Upright);
    if (i == turn || rng.chance(0.3))
      policy = std::make_shared<RandomAffine>(AffineOptions{.degrees = 40,
                                                            .translate = 0.1,
                                                            .scale_low = 0.7,
                                                            .scale_high = 1.3,
                                                            .shear = 15,
                                                            .shear_y = 5});
    steps.push_back(policy->draw(rng, canvas));
    canvas = steps.back().canvas();
  }
  return steps;
}

inline data::Transform joined(const std::vector<data::Transform>& steps) {
  data::Transform out = steps.front();
  for (size_t i = 1; i < steps.size(); ++i) out.append(steps[i]);
  return out;
}

inline data::ImageInfo random_info(Rng& rng, int channels = 3) {
  const auto side = [&] { return 30 + static_cast<int>(rng.below(50)); };
  const int width = side();
  return {width, side(), channels, {0.4f, 0.5f, 0.6f, 0.7f}};
}

inline Tensor random_pixels(Rng& rng, const data::ImageInfo& info) {
  Tensor image = Tensor::empty({info.height, info.width, info.channels}, Dtype::U8);
  for (int64_t i = 0; i < image.numel(); ++i)
    image.data<uint8_t>()[i] = static_cast<uint8_t>(rng.below(256));
  return image;
}

// An ellipse with a hole.
inline Rle random_blob(Rng& rng, const data::ImageInfo& info) {
  const double x = rng.uniform(0.3, 0.7) * info.width, y = rng.uniform(0.3, 0.7) * info.height;
  const double a = rng.uniform(6, 14), b = rng.uniform(6, 14);
  std::vector<uint8_t> mask;
  for (int i = 0; i < info.height; ++i)
    for (int j = 0; j < info.width; ++j) {
      const double r = std::hypot((j + 0.5 - x) / a, (i + 0.5 - y) / b);
      mask.push_back(r < 1 && r > 0.3);
    }
  return Rle::encode(mask, info.height, info.width);
}

}  // namespace ditto::testing
