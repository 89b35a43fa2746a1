// The way back through policies that resample: how far a smooth image is from itself.
#include <cmath>

#include "data/transform.h"
#include "data/transforms/affine.h"
#include "data/transforms/crop.h"
#include "data/transforms/flip.h"
#include "data/transforms/network_input.h"
#include "data/transforms/rand_affine.h"
#include "data/transforms/random_resized_crop.h"
#include "data/transforms/resize.h"
#include "data/transforms/scale_jitter.h"
#include "tests/support/catch.h"

using namespace ditto;
using namespace ditto::data;

TEST_CASE("transform: a smooth image comes back through what resamples it") {
  // Bilinear sampling is exact on a plane. An average is within a part of a pixel: its weights are
  // taken at whole pixels and need not balance.
  constexpr int kSide = 64;
  const ImageInfo info{kSide, kSide, 1, {0}};
  Tensor image = Tensor::empty({kSide, kSide, 1});
  for (int64_t i = 0; i < image.numel(); ++i)
    image.data<float>()[i] = static_cast<float>(0.01 * (i % kSide) + 0.003 * (i / kSide));
  struct Case {
    const char* name;
    std::shared_ptr<const Augment> policy;
    double pixels;  // the bound, in steps of the plane from column to column
  };
  using Parts = std::vector<std::shared_ptr<const Augment>>;
  const auto turn = std::make_shared<RandomAffine>(
      AffineOptions{.degrees = 30, .translate = 0.1, .scale_low = 0.9, .scale_high = 1.2});
  const auto jitter = std::make_shared<ScaleJitter>(
      60, 60, ScaleJitterOptions{.low = 0.5, .high = 1.5, .random_place = true});
  const Case cases[] = {
      {"affine", turn, 1e-3},
      {"rand affine", std::make_shared<RandAffine>(), 1e-3},
      {"larger", std::make_shared<Resize>(100, 90), 0.1},
      {"smaller", std::make_shared<Resize>(40, 37), 0.1},
      {"scale jitter", jitter, 0.1},
      {"resized crop", std::make_shared<RandomResizedCrop>(50, 50), 0.1},
      {"network input",
       std::make_shared<NetworkInput>(NetworkInputOptions{.shorter = 83, .divisor = 8}), 0.1},
      {"upright chain",
       std::make_shared<Compose>(Parts{jitter, std::make_shared<RandomFlip>(0.5, 0.5),
                                       std::make_shared<RandomCrop>(0, 44, 44)}),
       0.1},
      {"oblique chain",
       std::make_shared<Compose>(Parts{jitter, turn, std::make_shared<RandomCrop>(4)}), 1e-3}};
  const Rle everything = Rle::rectangle({0, 0, kSide, kSide}, kSide, kSide);
  for (const Case& c : cases) {
    int64_t compared = 0;
    double worst = 0;
    for (uint64_t seed = 0; seed < 10; ++seed) {
      Rng rng(seed);
      const Transform t = c.policy->draw(rng, info);
      CHECK_FALSE(t.pixels_invertible());
      const Tensor again = t.inverse().apply(t.apply(image));
      // Not where padding or what was cut off is near.
      const std::vector<uint8_t> shown =
          warp(warp(everything, t.nearest()), NearestMap::back(t.frame())).decode();
      const double scale = std::sqrt(std::fabs(t.frame().map.determinant()));
      const int near = 2 + static_cast<int>(std::ceil(3 / std::min(1.0, scale)));
      for (int y = near; y < kSide - near; ++y)
        for (int x = near; x < kSide - near; ++x) {
          bool whole = true;
          for (int v = y - near; v <= y + near && whole; ++v)
            for (int u = x - near; u <= x + near; ++u) whole = whole && shown[v * kSide + u];
          if (!whole) continue;
          ++compared;
          const int64_t i = y * kSide + x;
          worst = std::max(
              worst,
              std::fabs(double(again.data<float>()[i]) - double(image.data<float>()[i])) / 0.01);
        }
    }
    INFO(c.name << ": worst " << worst << " pixels of " << compared);
    CHECK(compared > 2000);
    CHECK(worst <= c.pixels);
  }
}
