// Sizes, ranges and records of the geometric policies; what is lost by each.
#include <numbers>
#include <set>

#include "core/box_map.h"
#include "data/transforms/affine.h"
#include "data/transforms/blur.h"
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
#include "kernels/blur.h"
#include "tests/support/catch.h"

using namespace ditto;
using namespace ditto::data;
using ditto::testing::contains;

namespace {

const ImageInfo kInfo{60, 40, 3, {0.25f, 0.5f, 0.75f}};

Transform draw(const Augment& policy, uint64_t seed = 0, const ImageInfo& info = kInfo) {
  Rng rng(seed);
  return policy.draw(rng, info);
}

Tensor gradient_image(const ImageInfo& info) {
  Tensor image = Tensor::empty({info.height, info.width, info.channels});
  float* to = image.data<float>();
  for (int y = 0; y < info.height; ++y)
    for (int x = 0; x < info.width; ++x)
      for (int c = 0; c < info.channels; ++c)
        *to++ = static_cast<float>(0.2 + 0.01 * x + 0.005 * y * (c + 1));
  return image;
}

}  // namespace

TEST_CASE("policies: each says what is lost") {
  const auto lost = [](const Augment& policy) { return to_string(draw(policy, 3).lost()); };
  CHECK(lost(RandomFlip(1, 1)) == "nothing");
  CHECK(lost(Pad({1, 2, 3, 4})) == "nothing");
  CHECK(lost(Normalize({0, 0, 0}, {1, 2, 3})) == "nothing");
  CHECK(lost(RandomTranslate(0.5, 0.5)) == "cut");
  CHECK(lost(FixedCrop(1, 1, 20, 20)) == "cut");
  CHECK(lost(FixedCrop(-1, -1, 70, 70)) == "nothing");
  CHECK(lost(Resize(30)) == "resampled");
  CHECK(lost(Resize::shorter_side(33, 70)) == "resampled");
  CHECK(lost(NetworkInput({.shorter = 50, .longest = 90})) == "resampled");
  CHECK(lost(RandomResizedCrop(20, 20)) == "cut, resampled");
  CHECK(lost(ScaleJitter(64, 64, {.low = 1.5, .high = 2})) == "cut, resampled");
  CHECK(lost(ScaleJitter(64, 64, {.low = 0.3, .high = 0.9})) == "resampled");
  CHECK(lost(RandomAffine({.degrees = 15, .shear = 3, .shear_y = 3})) == "cut, resampled");
  CHECK(lost(RandAffine({.operations = 3, .magnitude = 1})) == "cut, resampled");
  CHECK(lost(Cutout(5)) == "erased");
  CHECK(lost(ColorJitter({.brightness = 0.5})) == "colour");
  CHECK(lost(RandomGrayscale(1)) == "colour");
  CHECK(lost(RandomBlur({.probability = 1})) == "colour");
  CHECK(lost(RandomSolarize(0.5, 1)) == "colour");
  const Transform shift = draw(FixedCrop(3, 2, 60, 40)), back = draw(FixedCrop(-3, -2, 60, 40));
  CHECK(to_string(shift.then(back).then(draw(Cutout(5))).lost()) == "cut, erased");
}

TEST_CASE("resize, pad and network input: sizes and factors of the real sizes") {
  const auto size = [](const Transform& t) { return std::pair(t.frame().width, t.frame().height); };
  CHECK(size(draw(Resize::shorter_side(20, 60))) == std::pair(30, 20));
  CHECK(size(draw(Resize::shorter_side(100, 120))) == std::pair(120, 80));
  // 103 -> 800, not 799 as in float (detection.md 1.3).
  const ImageInfo odd{157, 103, 3, {}};
  const NetworkInputOptions options{.shorter = 800, .longest = 1333};
  const Transform t = draw(NetworkInput(options), 0, odd);
  CHECK(size(t) == std::pair(1248, 800));  // 1219 padded to a multiple of 32
  CHECK(t.frame().visible == Rect{0, 0, 1219, 800});
  CHECK(t.frame().map.a == 1219.0 / 157);
  CHECK(t.frame().map.e == 800.0 / 103);
  NetworkInputOptions legacy = options;
  legacy.floor_f32 = true;
  CHECK(draw(NetworkInput(legacy), 0, odd).frame().visible == Rect{0, 0, 1219, 799});
  CHECK(size(draw(NetworkInput({.shorter = 30, .longest = 50, .width = 64, .height = 48}))) ==
        std::pair(64, 48));
  REQUIRE_THROWS_WITH(draw(NetworkInput({.shorter = 30, .longest = 50, .width = 40, .height = 40})),
                      contains("does not fit the canvas of 40 x 40"));
  CHECK(size(draw(Pad({1, 2, 3, 4}))) == std::pair(64, 46));
  CHECK(size(draw(Pad::to_multiple(32))) == std::pair(64, 64));
  // The flip of a padded image maps boxes by the width of the image, not of the canvas.
  const Transform chain =
      draw(RandomFlip(1, 0)).then(draw(NetworkInput({.shorter = 40, .longest = 90})));
  CHECK(chain.frame().width == 64);
  CHECK(chain.apply(Rect{0, 0, 10, 5}) == Rect{50, 0, 60, 5});
  // Padding is the fill colour, 0 after normalisation by the mean.
  const Transform normal = draw(Normalize({0.25f, 0.5f, 0.75f}, {0.5f, 0.5f, 0.5f}))
                               .then(draw(NetworkInput({.shorter = 30, .longest = 90})));
  const Tensor out = normal.apply(gradient_image(kInfo));
  CHECK(out.shape() == Shape{32, 64, 3});
  CHECK(out.data<float>()[(31 * 64 + 5) * 3 + 1] == 0);
  CHECK(out.data<float>()[(3 * 64 + 60) * 3 + 2] == 0);
  CHECK(out.data<float>()[(3 * 64 + 5) * 3 + 2] != 0);
}

TEST_CASE("scale jitter: large and standard") {
  for (const auto& options : {ScaleJitterOptions::large(), ScaleJitterOptions::standard()}) {
    double least = 9, most = 0;
    std::set<double> corners;
    for (uint64_t seed = 0; seed < 500; ++seed) {
      const Frame frame = draw(ScaleJitter(48, 64, options), seed).frame();
      REQUIRE((frame.width == 48 && frame.height == 64));
      // The image of 60 x 40 just fits 48 x 64 at 48 x 32.
      const double factor = frame.map.a * 60 / 48;
      least = std::min(least, factor), most = std::max(most, factor);
      CHECK(frame.map.a * 60 == Approx(std::round(frame.map.a * 60)).margin(1e-9));
      CHECK(frame.map.e * 40 == Approx(std::round(frame.map.e * 40)).margin(1e-9));
      CHECK(frame.map.e == Approx(frame.map.a).epsilon(0.2));
      // Either the image fills the canvas along an axis or all of it is there.
      CHECK(
          (frame.map.c <= 0 && frame.map.c + frame.map.a * 60 >= std::min(48.0, frame.map.a * 60)));
      corners.insert(frame.map.c);
    }
    CHECK(least == Approx(options.low).margin(0.03));
    CHECK(most == Approx(options.high).margin(0.03));
    CHECK(corners.size() > 5);
  }
  bool inside = false;
  for (uint64_t seed = 0; seed < 20; ++seed)
    inside |= draw(ScaleJitter(48, 64, {.low = 0.2, .high = 0.5, .random_place = true}), seed)
                  .frame()
                  .map.f > 1;
  CHECK(inside);
}

TEST_CASE("translate: whole pixels, every one of them") {
  std::set<double> x, y;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const Affine map = draw(RandomTranslate(0.1, 0.05), seed).frame().map;
    x.insert(map.c), y.insert(map.f);
  }
  CHECK(x == std::set<double>{-6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6});
  CHECK(y == std::set<double>{-2, -1, 0, 1, 2});
}

TEST_CASE("shear along y, and the limits that boxes of a loss need") {
  const double tangent = std::tan(10 * std::numbers::pi / 180);
  double most = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const Affine m = draw(RandomAffine({.shear_y = 10}), seed).frame().map;
    CHECK((m.a == 1 && m.b == 0 && m.e == 1));
    most = std::max(most, std::fabs(m.d));
  }
  CHECK((most <= tangent && most > 0.97 * tangent));
  check_boxes_come_back({.degrees = 15, .translate = 0.5, .scale_low = 0.1, .scale_high = 9});
  check_boxes_come_back({.shear = 20});
  REQUIRE_THROWS_WITH(check_boxes_come_back({.shear = 21}), contains("shear 21"));
  REQUIRE_THROWS_WITH(check_boxes_come_back({.degrees = 15.1}),
                      contains("rotation by up to 15.1 degrees (at most 15)"));
  REQUIRE_THROWS_WITH(check_boxes_come_back({.degrees = 15, .shear = 5}), contains("shear 5"));
  REQUIRE_THROWS_WITH(check_boxes_come_back({.degrees = 180}), contains("[random_affine]"));
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const RandAffine policy({.operations = 4, .magnitude = 0.5, .boxes_come_back = true});
    CHECK(hull_condition(draw(policy, seed).frame().map) <= kLossHullCondition);
  }
}

TEST_CASE("rand affine: the five operations, of one strength") {
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const Affine m = draw(RandAffine({.operations = 1, .magnitude = 0.5}), seed).frame().map;
    const auto is = [](double v, double size) { return std::fabs(std::fabs(v) - size) < 1e-12; };
    if (m == Affine{}) seen.insert("nothing");
    if (is(m.b, 0.15) && m.d == 0) seen.insert("shear x");
    if (is(m.d, 0.15) && m.b == 0) seen.insert("shear y");
    if (is(m.c, 13) && m.a == 1) seen.insert("move x");  // trunc(0.5 x 150 / 331 x 60)
    if (is(m.f, 9) && m.a == 1) seen.insert("move y");
    if (is(std::atan2(m.d, m.a), std::numbers::pi / 12)) seen.insert("turn");
  }
  CHECK(seen.size() == 6);
}

TEST_CASE("boxes come back through the inverse of the hull") {
  const Rect box{12, 9, 31, 26};
  const auto near = [](const Rect& a, const Rect& b, double margin) {
    return std::fabs(a.x0 - b.x0) < margin && std::fabs(a.y0 - b.y0) < margin &&
           std::fabs(a.x1 - b.x1) < margin && std::fabs(a.y1 - b.y1) < margin;
  };
  for (const double degrees : {-15.0, 5.0, 30.0, 44.0, 60.0, 90.0, 180.0, 271.0}) {
    const Affine map = Affine::scaling(1.5, 0.7)
                           .then(Affine::rotation(degrees * std::numbers::pi / 180))
                           .then(Affine::translation(3, -8));
    CHECK(near(box_back(map, map(box)), box, 1e-9));
    // The hull of the hull has grown, unless the turn is a quarter.
    if (degrees != 90 && degrees != 180) CHECK(map.inverse()(map(box)).area() > 1.01 * box.area());
  }
  CHECK(hull_condition(Affine::rotation(std::numbers::pi / 12)) == Approx(kLossHullCondition));
  CHECK(hull_condition({-3, 0, 5, 0, 0.1, 2}) == 1);
  // An error of 1 in the height of a box that was sheared by 80 degrees is one of 5.67 in its
  // width.
  CHECK(hull_condition({1, std::tan(80 * std::numbers::pi / 180), 0, 0, 1, 0}) > 10);
  CHECK(hull_condition({0, 2, 5, 3, 0, 2}) == 1);
  REQUIRE_THROWS_WITH(box_back(Affine::rotation(std::numbers::pi / 4), box),
                      contains("[box_back] boxes cannot be brought back"));
  REQUIRE_THROWS_WITH(box_back(Affine::scaling(0, 1), box), contains("singular"));
  // What is no hull of any box loses the side that would be negative.
  const Rect thin = box_back(Affine::rotation(0.5), {0, 0, 100, 1});
  CHECK(thin.y1 - thin.y0 == 0);
  CHECK(thin.x1 - thin.x0 > 0);
  REQUIRE_THROWS_WITH(roi_flip(Affine::rotation(0.1)), contains("[roi_flip]"));
  CHECK(roi_flip({-2, 0, 0, 0, 1, 0}).columns);
  CHECK_FALSE(roi_flip({-2, 0, 0, 0, 1, 0}).rows);
}

TEST_CASE("solarise and blur: on the resampled canvas, in the order of the chain") {
  const ImageInfo info{9, 7, 1, {0}};
  Tensor dot = Tensor::zeros({7, 9, 1});
  dot.data<float>()[3 * 9 + 4] = 1;
  const auto blurred = [&](const Transform& t) { return t.apply(dot).to_vector<float>(); };
  const Transform blur = Transform::colour(info, kernels::blur_change(1, 2));
  std::vector<double> weights;
  double sum = 0;
  for (int i = -2; i <= 2; ++i) weights.push_back(std::exp(-0.5 * i * i)), sum += weights.back();
  const std::vector<float> got = blurred(blur);
  for (int y = 0; y < 7; ++y)
    for (int x = 0; x < 9; ++x) {
      const int i = x - 4 + 2, j = y - 3 + 2;
      const bool near = i >= 0 && i < 5 && j >= 0 && j < 5;
      const double expected =
          near ? weights[static_cast<size_t>(i)] * weights[static_cast<size_t>(j)] / (sum * sum)
               : 0;
      CHECK(got[static_cast<size_t>(y * 9 + x)] == Approx(expected).margin(1e-7));
    }
  // A flat image stays flat, also under a kernel larger than the image (mirrored at the border).
  const Transform wide = Transform::colour(info, kernels::blur_change(50, 40));
  const Tensor flat = Tensor::full({7, 9, 1}, 0.3);
  for (const float v : wide.apply(flat).to_vector<float>()) CHECK(v == Approx(0.3).margin(1e-6));
  // Solarising before or after a blur is not the same.
  const Transform solarize = draw(RandomSolarize(0.5, 1), 0, info);
  CHECK(blurred(blur.then(solarize))[3 * 9 + 4] == Approx(got[3 * 9 + 4]).margin(1e-6));  // 0.16
  CHECK(blurred(solarize.then(blur))[3 * 9 + 4] == Approx(0).margin(1e-6));
  // On a canvas scaled by 2 later, the blur is twice as wide.
  const Transform twice = blur.then(Transform::resized(info, {0, 0, 9, 7}, 18, 14));
  REQUIRE(twice.row(0).colours.size() == 1);
  CHECK(twice.row(0).colours[0].factor == 2);
  CHECK(twice.row(0).colours[0].radius == 4);
}

TEST_CASE("a row without colours after one with colours keeps its scale") {
  // Both rows have the same scale, offset and fill; u8 pixels count as v / 255 in both.
  Tensor image = Tensor::zeros({1, 5, 5, 1}, Dtype::U8);
  image.data<uint8_t>()[12] = 255;
  const kernels::ColourChange bright{.kind = kernels::ColourKind::Brightness, .factor = 0.5f};
  std::vector<kernels::AugmentRow> rows(2);
  rows[0].colours = {&bright, 1};
  const Tensor out = Tensor::empty({2, 5, 5, 1});
  kernels::augment(cpu_context(), image.view(), rows, out.view());
  CHECK(out.data<float>()[12] == Approx(0.5));
  CHECK(out.data<float>()[25 + 12] == Approx(1));
}

TEST_CASE("policies: options out of range are errors") {
  REQUIRE_THROWS_WITH(FixedCrop(0, 0, 0, 5), contains("[fixed_crop]"));
  REQUIRE_THROWS_WITH(Pad({-1, 0, 0, 0}), contains("[pad] margins"));
  REQUIRE_THROWS_WITH(Pad::to_multiple(0), contains("[pad] divisor"));
  REQUIRE_THROWS_WITH(RandomTranslate(1.1, 0), contains("[random_translate]"));
  REQUIRE_THROWS_WITH(RandomTranslate(0, std::nan("")), contains("[random_translate]"));
  REQUIRE_THROWS_WITH(Resize::shorter_side(9, 8), contains("longest side"));
  REQUIRE_THROWS_WITH(ScaleJitter(0, 5), contains("[scale_jitter]"));
  REQUIRE_THROWS_WITH(ScaleJitter(5, 5, {.low = 0}), contains("[scale_jitter] 0 < low"));
  REQUIRE_THROWS_WITH(NetworkInput({.shorter = 9, .longest = 8}), contains("[network_input]"));
  REQUIRE_THROWS_WITH(NetworkInput({.divisor = 0}), contains("divisor"));
  REQUIRE_THROWS_WITH(NetworkInput({.width = 9}), contains("both be given"));
  REQUIRE_THROWS_WITH(RandAffine({.operations = -1}), contains("[rand_affine]"));
  REQUIRE_THROWS_WITH(RandAffine({.magnitude = 1.5}), contains("magnitude"));
  REQUIRE_THROWS_WITH(RandomBlur({.low = 0}), contains("[random_blur] 0.01 <= low"));
  REQUIRE_THROWS_WITH(RandomBlur({.radius = 9999}), contains("radius"));
  REQUIRE_THROWS_WITH(RandomBlur({.probability = 2}), contains("probability"));
  REQUIRE_THROWS_WITH(RandomSolarize(2), contains("[random_solarize]"));
  REQUIRE_THROWS_WITH(kernels::blur_change(1, 0), contains("[blur] radius"));
  REQUIRE_THROWS_WITH(kernels::blur_change(std::nan(""), 1), contains("[blur] standard"));
  REQUIRE_THROWS_WITH(RandomAffine({.shear_y = 90}), contains("shear"));
  const ImageInfo four{8, 8, 4, {}};
  REQUIRE_THROWS_WITH(draw(RandomBlur({.probability = 1}), 0, four), contains("1 or 3 channels"));
}
