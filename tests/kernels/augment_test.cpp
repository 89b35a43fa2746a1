#include "kernels/augment.h"

#include <cmath>
#include <vector>

#include "core/rng.h"
#include "core/tensor.h"
#include "tests/support/catch.h"

using namespace ditto;
using namespace ditto::kernels;

namespace {

Tensor random_images(const Shape& shape, uint64_t seed) {
  Tensor images = Tensor::empty(shape, Dtype::U8);
  Rng rng(seed);
  for (int64_t i = 0; i < images.numel(); ++i)
    images.data<uint8_t>()[i] = static_cast<uint8_t>(rng.below(256));
  return images;
}

Tensor run(const Tensor& images, const std::vector<AugmentRow>& rows, int64_t height, int64_t width,
           int threads = 1) {
  CpuContext ctx{threads};
  Tensor out =
      Tensor::full({static_cast<int64_t>(rows.size()), height, width, images.dim(3)}, std::nan(""));
  augment(ctx, images.view(), rows, out.view());
  return out;
}

// The definition, pixel by pixel in double: bilinear between pixel centres, fill outside.
double reference(const Tensor& images, const AugmentRow& row, int64_t y, int64_t x, int64_t c) {
  const int64_t height = images.dim(1), width = images.dim(2), channels = images.dim(3);
  const Point canvas{x + 0.5, y + 0.5};
  const auto painted = double{row.scale[c]} * row.fill[c] + row.offset[c];
  for (const Erase& erase : row.erase) {
    const Point p = erase.to_rect(canvas);
    if (p.x >= erase.rect.x0 && p.x < erase.rect.x1 && p.y >= erase.rect.y0 && p.y < erase.rect.y1)
      return painted;
  }
  if (canvas.x < row.clip.x0 || canvas.x >= row.clip.x1 || canvas.y < row.clip.y0 ||
      canvas.y >= row.clip.y1)
    return painted;
  const Point p = row.inverse(canvas);
  const double sx = p.x - 0.5, sy = p.y - 0.5;
  double value = 0;
  for (int dy = 0; dy < 2; ++dy)
    for (int dx = 0; dx < 2; ++dx) {
      const double tx = std::floor(sx) + dx, ty = std::floor(sy) + dy;
      const double weight = (1 - std::fabs(sx - tx)) * (1 - std::fabs(sy - ty));
      const bool inside = tx >= 0 && ty >= 0 && tx < width && ty < height;
      const auto at =
          static_cast<int64_t>(((row.source * height + ty) * width + tx) * channels + c);
      value += weight * (inside ? images.data<uint8_t>()[at] / 255.0 : double{row.fill[c]});
    }
  return row.scale[c] * value + row.offset[c];
}

void check_against_reference(const Tensor& images, const std::vector<AugmentRow>& rows,
                             int64_t height, int64_t width, double tolerance) {
  const Tensor out = run(images, rows, height, width);
  const float* value = out.data<float>();
  double worst = 0;
  for (size_t r = 0; r < rows.size(); ++r)
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x)
        for (int64_t c = 0; c < images.dim(3); ++c) {
          const double difference = std::fabs(*value++ - reference(images, rows[r], y, x, c));
          worst = std::isnan(difference) ? 1e9 : std::max(worst, difference);
        }
  CHECK(worst <= tolerance);
}

// A rotation, shear, scaling and shift about the middle of a canvas of width x height.
Affine random_map(Rng& rng, double width, double height) {
  return Affine::translation(-width / 2, -height / 2)
      .then(Affine{1, rng.uniform(-0.3, 0.3), 0, 0, 1, 0})
      .then(Affine::scaling(rng.uniform(0.5, 2), rng.uniform(0.5, 2)))
      .then(Affine::rotation(rng.uniform(-3, 3)))
      .then(Affine::translation(width / 2 + rng.uniform(-9, 9), height / 2 + rng.uniform(-9, 9)));
}

}  // namespace

TEST_CASE("augment: whole-pixel shifts and mirrors copy exactly") {
  for (int64_t channels : {1, 2, 3, 4}) {
    const Tensor images = random_images({3, 7, 9, channels}, 1);
    std::vector<AugmentRow> rows;
    for (int64_t source = 0; source < 3; ++source)
      for (double dx : {-20.0, -4.0, 0.0, 3.0, 9.0})
        for (double dy : {-7.0, -2.0, 0.0, 5.0})
          for (int mirror = 0; mirror < 4; ++mirror) {
            const bool x = mirror % 2 == 1, y = mirror / 2 == 1;
            rows.push_back({.source = source,
                            .inverse = {x ? -1.0 : 1.0, 0, x ? 9 + dx : dx, 0, y ? -1.0 : 1.0,
                                        y ? 7 + dy : dy},
                            .fill = {0.25f, 0.5f, 0.75f, 1}});
          }
    const Tensor out = run(images, rows, 8, 10);
    const float* value = out.data<float>();
    int64_t wrong = 0;
    for (const AugmentRow& row : rows)
      for (int64_t y = 0; y < 8; ++y)
        for (int64_t x = 0; x < 10; ++x)
          for (int64_t c = 0; c < channels; ++c) {
            const Point p = row.inverse(Point{x + 0.5, y + 0.5});
            const auto sx = static_cast<int64_t>(std::floor(p.x));
            const auto sy = static_cast<int64_t>(std::floor(p.y));
            const bool inside = sx >= 0 && sy >= 0 && sx < 9 && sy < 7;
            const float expected =
                inside
                    ? static_cast<float>(
                          images.data<uint8_t>()[((row.source * 7 + sy) * 9 + sx) * channels + c]) *
                          static_cast<float>(1.0 / 255)
                    : row.fill[c];
            wrong += *value++ != expected;
          }
    CHECK(wrong == 0);
  }
}

TEST_CASE("augment: scale, offset and fill act per channel") {
  const Tensor images = random_images({2, 4, 5, 3}, 2);
  AugmentRow row{.source = 1,
                 .inverse = Affine::translation(2, -1),
                 .scale = {4, 5, 6},
                 .offset = {-2, -2.5f, -3},
                 .fill = {0.5f, 0.4f, 0.3f}};
  check_against_reference(images, {row, AugmentRow{}, row}, 4, 5, 1e-6);
  const Tensor out = run(images, {row}, 4, 5);
  // The first line is above the image: fill, scaled like a pixel.
  CHECK(out.data<float>()[0] == Approx(0).margin(1e-7));
  CHECK(out.data<float>()[1] == Approx(-0.5));
  CHECK(out.data<float>()[2] == Approx(-1.2));
}

TEST_CASE("augment: any affine map agrees with the definition") {
  for (int64_t channels : {1, 2, 3, 4}) {
    const Tensor images = random_images({2, 13, 17, channels}, 3);
    Rng rng(static_cast<uint64_t>(channels));
    std::vector<AugmentRow> rows;
    for (int i = 0; i < 40; ++i)
      rows.push_back({.source = i % 2,
                      .inverse = random_map(rng, 17, 13).inverse(),
                      .scale = {2, 1, 3, 1},
                      .offset = {-1, 0.5f, 0, 0},
                      .fill = {0.1f, 0.9f, 0.4f, 0.6f}});
    // Half-pixel shifts hit the blend with the border exactly.
    rows.push_back({.source = 0, .inverse = Affine::translation(0.5, -0.5)});
    rows.push_back({.source = 0, .inverse = Affine::translation(-16.5, 12.5)});
    check_against_reference(images, rows, 13, 17, 2e-6);
    check_against_reference(images, rows, 5, 21, 2e-6);
  }
}

TEST_CASE("augment: clip and erased areas, upright and turned") {
  const Tensor images = random_images({1, 16, 16, 3}, 4);
  const std::vector<Erase> erase = {
      {{}, {-3, 2, 5, 6}},                                  // sticks out on the left
      {{}, {9, 9, 7, 12}},                                  // crossed sides: nothing
      {{}, {20, 20, 30, 30}},                               // outside
      {{-1, 0, 16, 0, 1, 0}, {0, 10, 4, 12}},               // mirrored: columns 12..16
      {Affine::rotation(0.5), {6, 2, 11, 7}},               // turned
      {Affine::translation(0.25, 0.75), {8, 12, 9.5, 14}},  // between pixels
  };
  AugmentRow row{.source = 0, .inverse = {}, .erase = erase, .fill = {1, 0, 1}};
  AugmentRow clipped = row;
  clipped.clip = {2, 1, 13.5, 15};
  AugmentRow turned = clipped;
  turned.inverse = Affine::rotation(0.3);
  check_against_reference(images, {row, clipped, turned}, 16, 16, 1e-6);
}

TEST_CASE("augment: f32 images pass unscaled") {
  Tensor images = Tensor::from(std::vector<float>{-1, 2, 300, 4}, {1, 2, 2, 1});
  const AugmentRow mirror{.source = 0, .inverse = {-1, 0, 2, 0, 1, 0}};
  CHECK(run(images, {mirror}, 2, 2).to_vector<float>() == std::vector<float>{2, -1, 4, 300});
  const AugmentRow half{.source = 0, .inverse = Affine::translation(0.5, 0.5)};
  CHECK(run(images, {half}, 1, 1).to_vector<float>() == std::vector<float>{76.25});
}

TEST_CASE("augment: the number of threads changes nothing") {
  const Tensor images = random_images({50, 32, 32, 3}, 5);
  Rng rng(6);
  std::vector<AugmentRow> rows;
  for (int i = 0; i < 65; ++i)
    rows.push_back({.source = static_cast<int64_t>(rng.below(50)),
                    .inverse = i % 2 ? random_map(rng, 32, 32) : Affine::translation(i - 30, 2),
                    .erase = {}});
  const std::vector<float> one = run(images, rows, 32, 32, 1).to_vector<float>();
  CHECK(run(images, rows, 32, 32, 2).to_vector<float>() == one);
  CHECK(run(images, rows, 32, 32, 7).to_vector<float>() == one);
}

TEST_CASE("augment: extreme maps give fill, bad input throws") {
  const Tensor images = random_images({2, 4, 4, 1}, 7);
  AugmentRow far{.source = 0, .inverse = {1e300, 0, 0, 0, 1e300, 1e-3}, .fill = {0.5f}};
  for (float value : run(images, {far}, 4, 4).to_vector<float>()) CHECK(value == 0.5f);
  AugmentRow away = far;
  away.inverse = Affine::translation(-1e12, 1e15);
  for (float value : run(images, {away}, 4, 4).to_vector<float>()) CHECK(value == 0.5f);

  using testing::contains;
  AugmentRow row;
  row.source = 2;
  REQUIRE_THROWS_WITH(run(images, {row}, 4, 4), contains("[augment] source 2"));
  row.source = -1;
  REQUIRE_THROWS_WITH(run(images, {row}, 4, 4), contains("[augment] source -1"));
  row = AugmentRow{};
  row.inverse.c = std::nan("");
  REQUIRE_THROWS_WITH(run(images, {row}, 4, 4), contains("not finite"));
  row = AugmentRow{};
  const Erase flat{Affine::scaling(0, 1), {0, 0, 1, 1}};
  row.erase = {&flat, 1};
  REQUIRE_THROWS_WITH(run(images, {row}, 4, 4), contains("singular"));

  CpuContext ctx{1};
  const std::vector<AugmentRow> rows(2);
  const auto call = [&](const Tensor& in, const Tensor& out) {
    augment(ctx, in.view(), rows, out.view());
  };
  REQUIRE_THROWS_WITH(call(images, Tensor::empty({1, 4, 4, 1})), contains("2 rows"));
  REQUIRE_THROWS_WITH(call(images, Tensor::empty({2, 4, 4, 3})), contains("channels do not match"));
  REQUIRE_THROWS_WITH(call(images, Tensor::empty({2, 4, 4, 1}, Dtype::F64)), contains("f64"));
  REQUIRE_THROWS_WITH(call(Tensor::empty({2, 4, 4, 1}, Dtype::I64), Tensor::empty({2, 4, 4, 1})),
                      contains("u8 or f32, got i64"));
  REQUIRE_THROWS_WITH(call(Tensor::empty({2, 4, 4, 5}, Dtype::U8), Tensor::empty({2, 4, 4, 5})),
                      contains("1 to 4 channels"));
  REQUIRE_THROWS_WITH(call(images, Tensor::empty({2, 0, 4, 1})), contains("empty images"));
  REQUIRE_THROWS_WITH(call(Tensor::empty({4, 4, 1}, Dtype::U8), Tensor::empty({2, 4, 4, 1})),
                      contains("(4, 4, 1)"));
}
