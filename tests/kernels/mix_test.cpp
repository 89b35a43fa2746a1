#include "kernels/mix.h"

#include <cmath>
#include <vector>

#include "core/tensor.h"
#include "tests/support/catch.h"

using namespace ditto;
using namespace ditto::kernels;

TEST_CASE("mix_images: every pixel has its source") {
  // Pixel value = 100 * row + 10 * y + x.
  Tensor images = Tensor::empty({3, 4, 4, 1});
  for (int64_t i = 0; i < images.numel(); ++i)
    images.data<float>()[i] = static_cast<float>(100 * (i / 16) + 10 * (i / 4 % 4) + i % 4);
  const std::vector<MixRow> rows = {
      {MixKind::CutMix, 1, 0.625f, {1, 0, 3, 3}}, {}, {MixKind::Mixup, 0, 0.75f, {}}};
  CpuContext ctx{2};
  Tensor out = Tensor::empty(images.shape());
  mix_images(ctx, images.view(), rows, out.view());
  const float* value = out.data<float>();
  for (int64_t y = 0; y < 4; ++y)
    for (int64_t x = 0; x < 4; ++x) {
      const bool inside = x >= 1 && x < 3 && y < 3;
      CHECK(value[y * 4 + x] == (inside ? 100 : 0) + 10 * y + x);
      // A default row keeps its own image whatever partner it names.
      CHECK(value[16 + y * 4 + x] == 100 + 10 * y + x);
      CHECK(value[32 + y * 4 + x] == 0.75f * (200 + 10 * y + x) + 0.25f * (10 * y + x));
    }

  using testing::contains;
  const auto call = [&](const MixRow& row) {
    mix_images(ctx, images.view(), std::vector<MixRow>{row, {}, {}}, out.view());
  };
  REQUIRE_THROWS_WITH(call({MixKind::Mixup, 3, 0.5f, {}}), contains("partner out of range: 3"));
  REQUIRE_THROWS_WITH(call({MixKind::CutMix, 1, 0.5f, {2, 0, 5, 1}}), contains("box outside"));
  REQUIRE_THROWS_WITH(call({MixKind::Mixup, 1, 1.5f, {}}), contains("keep"));
  REQUIRE_THROWS_WITH(call({MixKind::Mixup, 1, std::nanf(""), {}}), contains("keep"));
  REQUIRE_THROWS_WITH(mix_images(ctx, images.view(), rows, images.view()),
                      contains("share memory"));
}

TEST_CASE("mix_labels: weights go to both labels") {
  const Tensor labels = Tensor::from(std::vector<int64_t>{2, 0, 0}, {3});
  const std::vector<MixRow> rows = {
      {MixKind::CutMix, 1, 0.625f, {}}, {MixKind::Mixup, 2, 0.3f, {}}, {}};
  CpuContext ctx{1};
  Tensor targets = Tensor::empty({3, 3});
  mix_labels(ctx, labels.view(), rows, targets.view());
  CHECK(targets.to_vector<float>() == std::vector<float>{0.375f, 0, 0.625f, 1, 0, 0, 1, 0, 0});

  using testing::contains;
  Tensor two = Tensor::empty({3, 2});
  REQUIRE_THROWS_WITH(mix_labels(ctx, labels.view(), rows, two.view()),
                      contains("label 2 of row 0"));
  const Tensor bad = Tensor::from(std::vector<int64_t>{0, -1, 0}, {3});
  REQUIRE_THROWS_WITH(mix_labels(ctx, bad.view(), rows, targets.view()),
                      contains("label -1 of row 1"));
  REQUIRE_THROWS_WITH(mix_labels(ctx, labels.view(), std::vector<MixRow>(2), targets.view()),
                      contains("[mix_labels]"));
}
