#include "data/instances.h"

#include "data/transforms/crop.h"
#include "data/transforms/flip.h"
#include "data/transforms/normalize.h"
#include "tests/support/catch.h"

using namespace ditto;
using namespace ditto::data;
using ditto::testing::contains;

namespace {

const ImageInfo kInfo{60, 40, 3, {}};

// Three rectangles and an ignored one, with masks or without.
Instances objects(bool masks) {
  Instances out;
  const Rect boxes[] = {{2, 3, 12, 23}, {30, 5, 50, 35}, {52, 30, 58, 38}, {0, 0, 6, 2}};
  for (int i = 0; i < 4; ++i) {
    out.boxes.push_back(boxes[i]);
    out.labels.push_back(i + 1);
    out.ids.push_back({7, 100 + i});
    out.ignore.push_back(i == 3);
    if (masks) out.masks.push_back(Rle::rectangle(boxes[i], 40, 60));
    out.points.push_back({{boxes[i].x0, boxes[i].y0}, {boxes[i].x1, boxes[i].y1}});
  }
  return out;
}

Transform shift(double x, double y, int width = 60, int height = 40) {
  return Transform::geometric(kInfo, Affine::translation(x, y), width, height);
}

}  // namespace

TEST_CASE("instances: what is seen survives, is ignored or vanishes; ids stay") {
  for (const bool masks : {true, false}) {
    INFO("masks " << masks);
    const Instances before = objects(masks);
    // The second object keeps 14 of 20 columns; the first one moves out to the last column.
    const Instances after = transform_instances(shift(-11, 0, 33, 40), before);
    REQUIRE(after.size() == 2);
    CHECK(after.ids == std::vector<InstanceId>{{7, 100}, {7, 101}});
    CHECK(after.labels == std::vector<int64_t>{1, 2});
    CHECK(after.ignore == std::vector<uint8_t>{1, 0});
    CHECK(after.visibility[0] == Approx(0.1));
    CHECK(after.visibility[1] == Approx(0.7));
    CHECK(after.boxes[0] == Rect{0, 3, 1, 23});
    CHECK(after.boxes[1] == Rect{19, 5, 33, 35});
    CHECK(after.points[0][0].x == -9);
    CHECK(after.objects() == 1);
    if (masks) CHECK(after.masks[1] == Rle::rectangle({19, 5, 33, 35}, 40, 33));
    // Visibility goes on from there: half of 0.7 is more than a quarter, a third of it is not.
    const ImageInfo seen{33, 40, 3, {}};
    const auto cut = [&](int width) {
      return transform_instances(Transform::geometric(seen, {}, width, 40), after);
    };
    CHECK(cut(26).visibility.back() == Approx(0.35));
    CHECK(cut(26).objects() == 1);
    CHECK(cut(23).visibility.back() == Approx(0.2));
    CHECK(cut(23).objects() == 0);
    CHECK(cut(23).ignore.back() == 1);
  }
}

TEST_CASE("instances: the rules are limits that still hold") {
  const Instances before = objects(true);
  const auto second = [&](const Transform& t, const SurvivalRules& rules) {
    const Instances after = transform_instances(t, before, rules);
    return after.ignore.at(1);
  };
  // A quarter exactly: 5 of 20 columns.
  const Transform quarter = shift(0, 0, 35, 40);
  CHECK(second(quarter, {}) == 0);
  CHECK(second(quarter, {.min_visibility = 0.2501}) == 1);
  CHECK(second(quarter, {.min_pixels = 150}) == 0);
  CHECK(second(quarter, {.min_pixels = 151}) == 1);
  CHECK(second(quarter, {.min_side = 5}) == 0);
  CHECK(second(quarter, {.min_side = 5.1}) == 1);
  // Scaling is no loss: visibility is of the scaled area.
  const Transform small = Transform::resized(kInfo, {0, 0, 60, 40}, 30, 20);
  const Instances shrunk = transform_instances(small, before);
  CHECK(shrunk.visibility[1] == Approx(1).margin(0.02));
  CHECK(shrunk.boxes[1].x0 == Approx(15));
  // An ignored region stays one, however well it is seen; 6 x 8 pixels become 3 x 4, too few.
  CHECK(shrunk.ignore == std::vector<uint8_t>{0, 0, 1, 1});
}

TEST_CASE("instances: erased pixels are not seen, but stay part of mask and box") {
  for (const bool masks : {true, false}) {
    const Instances before = objects(masks);
    const Transform half = Transform::erase(kInfo, {30, 5, 40, 35});
    const Instances after = transform_instances(half, before);
    CHECK(after.visibility[1] == Approx(0.5));
    CHECK(after.boxes[1] == before.boxes[1]);
    CHECK(after.ignore[1] == 0);
    // Two erased areas that overlap count once.
    const Transform twice = half.then(Transform::erase(kInfo, {35, 5, 46, 35}));
    CHECK(transform_instances(twice, before).visibility[1] == Approx(0.2));
    CHECK(transform_instances(twice, before).ignore[1] == 1);
    const Transform all = Transform::erase(kInfo, {0, 0, 60, 40});
    CHECK(transform_instances(all, before).size() == 0);
  }
}

TEST_CASE("instances: boxes are tight around turned masks") {
  // A disc turned by any angle keeps its box; the hull of the box grows.
  Instances before;
  std::vector<uint8_t> disc(60 * 40);
  for (int y = 0; y < 40; ++y)
    for (int x = 0; x < 60; ++x)
      disc[static_cast<size_t>(y * 60 + x)] = std::hypot(x + 0.5 - 30, y + 0.5 - 20) < 12;
  before.masks.push_back(Rle::encode(disc, 40, 60));
  before.boxes.push_back(before.masks[0].box());
  before.labels = {1}, before.ids = {{1, 1}}, before.ignore = {0};
  const Affine turn =
      Affine::translation(-30, -20).then(Affine::rotation(0.7)).then(Affine::translation(30, 20));
  const Transform t = Transform::geometric(kInfo, turn, 60, 40);
  const Instances after = transform_instances(t, before);
  CHECK(after.boxes[0].x0 == Approx(18).margin(1));
  CHECK(after.boxes[0].x1 == Approx(42).margin(1));
  CHECK(t.apply(before.boxes[0]).x0 < 14);
  CHECK(after.visibility[0] == Approx(1).margin(0.02));
}

TEST_CASE("instances: images that lose all objects") {
  const Instances before = objects(true);
  // The window never shows an object: columns 13 to 29, rows 24 to 40.
  class Corner : public Augment {
   public:
    Transform draw(Rng& rng, const ImageInfo& info) const override {
      const double x = 13 + static_cast<double>(rng.below(3));
      return Transform::geometric(info, Affine::translation(-x, -24), 14, 16);
    }
  };
  const Corner corner;
  const RandomFlip whole;
  Rng rng(3);
  InstanceDraw out = draw_with_instances(corner, whole, rng, kInfo, before);
  CHECK(out.fallback);
  CHECK(out.draws == 11);
  CHECK(out.instances.objects() == 3);
  CHECK(out.transform.frame().width == 60);
  out = draw_with_instances(corner, whole, rng, kInfo, before, {}, {.probability = 1});
  CHECK_FALSE(out.fallback);
  CHECK(out.draws == 1);
  CHECK(out.instances.objects() == 0);
  // Some negative images, as often as asked for.
  int negative = 0;
  for (int i = 0; i < 1000; ++i)
    negative += !draw_with_instances(corner, whole, rng, kInfo, before, {},
                                     {.probability = 0.3, .redraws = 0})
                     .fallback;
  CHECK(negative == Approx(300).margin(60));  // 4 sigma = 58
  // An image without objects is one already.
  out = draw_with_instances(corner, whole, rng, kInfo, {});
  CHECK((out.draws == 1 && !out.fallback));
  // A window that sometimes holds one is drawn until it does.
  int more = 0;
  for (int i = 0; i < 200; ++i) {
    out = draw_with_instances(RandomCrop(0, 14, 16), whole, rng, kInfo, before);
    CHECK((out.instances.objects() > 0 || out.fallback));
    more += out.draws > 1;
  }
  CHECK(more > 10);
}

TEST_CASE("class maps and dense masks go as the masks of instances do") {
  const Instances before = objects(true);
  const Affine turn = Affine::rotation(0.3).then(Affine::scaling(0.8, 1.1));
  for (const Transform& t : {shift(-11, 4, 33, 50), Transform::geometric(kInfo, turn, 50, 50),
                             Transform::resized(kInfo, {3, 4, 55, 38}, 41, 20)})
    for (const Dtype dtype : {Dtype::U8, Dtype::I64}) {
      const std::vector<uint8_t> dense = before.masks[1].decode();
      Tensor labels = Tensor::empty({40, 60}, Dtype::U8);
      std::ranges::copy(dense, labels.data<uint8_t>());
      const Tensor out = transform_labels(t, labels.to(dtype), 9);
      std::vector<uint8_t> set, shown;
      for (const double v : out.to(Dtype::F64).to_vector<double>())
        set.push_back(v == 1), shown.push_back(v != 9);
      const int w = t.frame().width, h = t.frame().height;
      CHECK(Rle::encode(set, h, w) == transform_instances(t, before).masks.at(1));
      CHECK(Rle::encode(shown, h, w) == warp(Rle::rectangle(kEverywhere, 40, 60), t.nearest()));
    }
  REQUIRE_THROWS_WITH(transform_labels(shift(0, 0), Tensor::zeros({3, 3}, Dtype::U8), 0),
                      contains("[transform_labels] labels must be (40, 60)"));
  REQUIRE_THROWS_WITH(transform_labels(shift(0, 0), Tensor::zeros({40, 60}, Dtype::U8), -1),
                      contains("[0, 255]"));
  REQUIRE_THROWS_WITH(transform_labels(shift(0, 0), Tensor::zeros({40, 60}), 0), contains("f32"));
}

TEST_CASE("instances: bad lists are errors") {
  const auto broken = [](auto&& change) {
    Instances out = objects(true);
    change(out);
    return out;
  };
  const auto refused = [&](auto&& change, const char* message) {
    REQUIRE_THROWS_WITH(check_instances(broken(change), 60, 40), contains(message));
  };
  check_instances(objects(true), 60, 40);
  check_instances({}, 60, 40);
  refused([](Instances& i) { i.labels.pop_back(); }, "4 boxes but 3 labels");
  refused([](Instances& i) { i.masks.pop_back(); }, "4 boxes but 3 masks");
  refused([](Instances& i) { i.ignore.clear(); }, "ignore flags");
  refused([](Instances& i) { i.boxes[1].x1 = 61; }, "box 1 is empty or not inside");
  refused([](Instances& i) { i.boxes[2].x1 = 52; }, "box 2 is empty");
  refused([](Instances& i) { i.boxes[0].y0 = NAN; }, "box 0");
  refused([](Instances& i) { i.masks[3] = Rle(40, 59); }, "mask 3 is of width 59");
  refused([](Instances& i) { i.masks[2] = Rle(40, 60); }, "mask 2 is empty");
  refused([](Instances& i) { i.ids[2] = i.ids[0]; },
          "an id is there twice: image 7 annotation 100");
  REQUIRE_THROWS_WITH(transform_instances(Transform(ImageInfo{20, 20, 3, {}}), objects(true)),
                      contains("[instances]"));
  Instances list = objects(true);
  REQUIRE_THROWS_WITH(list.append(objects(false), 0), contains("cannot be in one list"));
}
