#include "data/copy_paste.h"

#include "data/transforms/flip.h"
#include "data/transforms/scale_jitter.h"
#include "tests/support/catch.h"

using namespace ditto;
using namespace ditto::data;
using ditto::testing::contains;

namespace {

Instances rectangles(int64_t image, const std::vector<Rect>& boxes, int size = 50) {
  Instances out;
  for (size_t i = 0; i < boxes.size(); ++i) {
    out.boxes.push_back(boxes[i]);
    out.labels.push_back(image);
    out.ids.push_back({image, static_cast<int64_t>(i)});
    out.ignore.push_back(0);
    out.masks.push_back(Rle::rectangle(boxes[i], size, size));
  }
  return out;
}

const PasteOptions kAlways{.probability = 1, .pick = 1};

}  // namespace

TEST_CASE("copy_paste: pasted objects cover others, which lose what is covered") {
  const Instances there = rectangles(1, {{0, 0, 10, 10}, {20, 20, 40, 40}, {44, 44, 50, 50}});
  Instances here = rectangles(2, {{5, 0, 15, 10}, {20, 20, 38, 40}, {0, 30, 4, 34}});
  here.ignore[2] = 1;  // a crowd is never pasted
  Rng rng(1);
  const std::optional<Paste> paste = draw_paste(kAlways, rng, there, here, 50, 50);
  REQUIRE(paste.has_value());
  const Instances& out = paste->instances;
  REQUIRE(out.size() == 5);
  CHECK(paste->pasted == std::vector<uint8_t>{0, 0, 0, 1, 1});
  CHECK(out.ids == std::vector<InstanceId>{{1, 0}, {1, 1}, {1, 2}, {2, 0}, {2, 1}});
  CHECK(out.labels == std::vector<int64_t>{1, 1, 1, 2, 2});
  // Half of the first is covered; of the second a tenth is left, too little; the third is
  // untouched.
  CHECK(out.boxes[0] == Rect{0, 0, 5, 10});
  CHECK(out.visibility[0] == 0.5);
  CHECK(out.boxes[1] == Rect{38, 20, 40, 40});
  CHECK(out.ignore == std::vector<uint8_t>{0, 1, 0, 0, 0});
  CHECK(out.visibility[2] == 1);
  CHECK(paste->mask == (here.masks[0] | here.masks[1]));
  check_instances(out, 50, 50);
  // Masks never overlap what was pasted.
  for (size_t i = 0; i < 3; ++i) CHECK(intersection_area(out.masks[i], paste->mask) == 0);
  // What is covered entirely is gone.
  const Instances small = rectangles(1, {{22, 22, 30, 30}});
  CHECK(draw_paste(kAlways, rng, small, here, 50, 50)->instances.size() == 2);
}

TEST_CASE("copy_paste: at least one object, half of them on average, or nothing") {
  std::vector<Rect> boxes;
  for (int i = 0; i < 10; ++i) boxes.push_back({5.0 * i, 0, 5.0 * i + 4, 9});
  const Instances here = rectangles(2, boxes), none;
  int pasted = 0, draws = 0;
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    Rng rng(seed);
    const auto paste = draw_paste({}, rng, none, here, 50, 50);
    if (!paste) continue;
    ++draws;
    CHECK(paste->instances.size() >= 1);
    pasted += static_cast<int>(paste->instances.size());
  }
  CHECK(draws == Approx(500).margin(64));  // 4 sigma
  CHECK(pasted == Approx(5.0 * draws).epsilon(0.05));
  Rng rng(1);
  CHECK(draw_paste({.probability = 1, .pick = 0}, rng, none, here, 50, 50)->instances.size() == 1);
  CHECK_FALSE(draw_paste(kAlways, rng, here, none, 50, 50).has_value());
}

TEST_CASE("copy_paste: pixels, and predictions go back by the pasted object's own record") {
  // Two images through their own geometry onto one canvas.
  const ImageInfo info{50, 50, 3, {}};
  const ScaleJitter jitter(64, 48, {.low = 0.6, .high = 1.4});
  Rng rng(5);
  const Instances there = rectangles(1, {{3, 3, 20, 40}}), here = rectangles(2, {{22, 8, 40, 30}});
  const Transform to_there = jitter.draw(rng, info),
                  to_here = RandomFlip(1, 0).draw(rng, info).then(jitter.draw(rng, info));
  const Instances a = transform_instances(to_there, there), b = transform_instances(to_here, here);
  REQUIRE(b.objects() == 1);
  const auto paste = draw_paste(kAlways, rng, a, b, 64, 48);
  REQUIRE(paste.has_value());
  const Tensor canvas = to_there.apply(Tensor::full({50, 50, 3}, 0.25)).clone();
  const Tensor before = canvas.clone(), source = to_here.apply(Tensor::full({50, 50, 3}, 0.75));
  paste_pixels(source, paste_weights(paste->mask, 0), canvas);
  const std::vector<uint8_t> set = paste->mask.decode();
  int wrong = 0;
  for (int64_t i = 0; i < canvas.numel(); ++i)
    wrong += canvas.data<float>()[i] !=
             (set[static_cast<size_t>(i / 3)] ? source : before).data<float>()[i];
  CHECK(wrong == 0);
  // A softened border blends, and weights stay in [0, 1].
  const Tensor soft = paste_weights(paste->mask, 2);
  int between = 0;
  for (const float w : soft.to_vector<float>()) {
    CHECK((w >= 0 && w <= 1 + 1e-6f));
    between += w > 0.01f && w < 0.99f;
  }
  CHECK(between > 20);
  // The pasted object's box, found on the canvas, in its own image: within a canvas pixel.
  REQUIRE(paste->pasted.back() == 1);
  const Rect back = to_here.frame().inverse().map(paste->instances.boxes.back());
  const double pixel = 1 / std::fabs(to_here.frame().map.a);
  CHECK(back.x0 == Approx(22).margin(pixel));
  CHECK(back.y1 == Approx(30).margin(pixel));
}

TEST_CASE("copy_paste: bad input is an error") {
  Rng rng(1);
  const Instances a = rectangles(1, {{0, 0, 10, 10}});
  REQUIRE_THROWS_WITH(draw_paste(kAlways, rng, a, a, 50, 50),
                      contains("both images have the object"));
  REQUIRE_THROWS_WITH(draw_paste({.probability = 2}, rng, a, a, 50, 50), contains("probability"));
  REQUIRE_THROWS_WITH(draw_paste(kAlways, rng, a, rectangles(2, {{0, 0, 5, 5}}, 40), 50, 50),
                      contains("[instances] mask 0"));
  Instances bare = a;
  bare.masks.clear();
  REQUIRE_THROWS_WITH(draw_paste(kAlways, rng, bare, a, 50, 50), contains("without masks"));
  REQUIRE_THROWS_WITH(
      paste_pixels(Tensor::zeros({4, 4, 3}), Tensor::zeros({4, 5}), Tensor::zeros({4, 4, 3})),
      contains("[paste] weights"));
}
