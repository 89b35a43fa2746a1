#include "data/transform.h"

#include <cmath>
#include <functional>
#include <numbers>

#include "data/augment.h"
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
#include "tests/support/catch.h"

using namespace ditto;
using namespace ditto::data;
using ditto::testing::contains;

namespace {

const ImageInfo kInfo{11, 8, 3, {0.25f, 0.5f, 0.75f}};  // 11 wide, 8 high

Tensor random_image(uint64_t seed, const ImageInfo& info = kInfo) {
  Tensor image = Tensor::empty({info.height, info.width, info.channels}, Dtype::U8);
  Rng rng(seed);
  for (int64_t i = 0; i < image.numel(); ++i)
    image.data<uint8_t>()[i] = static_cast<uint8_t>(rng.below(256));
  return image;
}

std::vector<Point> grid_points() {
  std::vector<Point> points;
  for (double x : {0.0, 0.5, 3.25, 11.0})
    for (double y : {0.0, 1.75, 8.0}) points.push_back({x, y});
  return points;
}

float max_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  const auto x = a.to_vector<float>(), y = b.to_vector<float>();
  float worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const float difference = std::fabs(x[i] - y[i]);
    worst = std::isnan(difference) ? INFINITY : std::max(worst, difference);
  }
  return worst;
}

// What of the pixels in the kept area comes back: they themselves, mixtures, or other colours.
enum class Back { Exact, Mixed, Coloured };

// Every policy has a row here.
struct Row {
  const char* name;
  std::shared_ptr<const Augment> policy;
  Back back;
};

std::vector<Row> rows() {
  const AffineOptions turn{
      .degrees = 25, .translate = 0.2, .scale_low = 0.8, .scale_high = 1.3, .shear = 10};
  const auto crop = std::make_shared<RandomCrop>(3);
  const auto flip = std::make_shared<RandomFlip>(0.5, 0.5);
  const auto affine = std::make_shared<RandomAffine>(turn);
  const auto cutout = std::make_shared<Cutout>(4);
  const auto normalize = std::make_shared<Normalize>(std::vector<float>{0.5f, 0.25f, 0.75f},
                                                     std::vector<float>{0.25f, 0.5f, 0.125f});
  using enum Back;
  using Parts = std::vector<std::shared_ptr<const Augment>>;
  return {
      {"crop", crop, Exact},
      {"window", std::make_shared<RandomCrop>(0, 7, 5), Exact},
      {"flip", flip, Exact},
      {"affine", affine, Mixed},
      {"cutout", cutout, Exact},
      {"normalize", normalize, Exact},
      {"translate", std::make_shared<RandomTranslate>(0.4, 0.3), Exact},
      {"pad", std::make_shared<Pad>(Margins{1, 2, 3, 4}), Exact},
      {"pad to a multiple", std::make_shared<Pad>(Pad::to_multiple(8)), Exact},
      {"fixed crop", std::make_shared<FixedCrop>(2, 1, 7, 6), Exact},
      {"center crop", std::make_shared<CenterCrop>(7, 6), Exact},
      {"resize", std::make_shared<Resize>(Resize::shorter_side(6, 9)), Mixed},
      {"scale jitter", std::make_shared<ScaleJitter>(12, 12), Mixed},
      {"resized crop", std::make_shared<RandomResizedCrop>(9, 9), Mixed},
      {"network input",
       std::make_shared<NetworkInput>(
           NetworkInputOptions{.shorter = 13, .longest = 16, .divisor = 8}),
       Mixed},
      {"rand affine", std::make_shared<RandAffine>(), Mixed},
      {"color jitter", std::make_shared<ColorJitter>(JitterOptions{0.4, 0.4, 0.4, 0.1}), Coloured},
      {"grayscale", std::make_shared<RandomGrayscale>(1), Coloured},
      {"blur", std::make_shared<RandomBlur>(BlurOptions{.probability = 1}), Coloured},
      {"solarize", std::make_shared<RandomSolarize>(0.5, 1), Coloured},
      {"crop, flip", std::make_shared<Compose>(Parts{crop, flip}), Exact},
      {"crop, flip, cutout, crop, normalize",
       std::make_shared<Compose>(Parts{crop, flip, cutout, crop, normalize}), Exact},
      {"affine, crop, flip, normalize",
       std::make_shared<Compose>(Parts{affine, crop, flip, normalize}), Mixed}};
}

}  // namespace

TEST_CASE("transform: points and boxes come back exactly") {
  for (const Row& row : rows())
    for (uint64_t seed = 0; seed < 20; ++seed) {
      INFO(row.name << ", seed " << seed);
      Rng rng(seed);
      const Transform t = row.policy->draw(rng, kInfo);
      const Transform back = t.inverse();
      CHECK(back.canvas().width == 11);
      CHECK(back.canvas().height == 8);
      const std::vector<Point> points = grid_points();
      const std::vector<Point> there = t.apply(points), again = back.apply(there);
      for (size_t i = 0; i < points.size(); ++i) {
        CHECK(again[i].x == Approx(points[i].x).margin(1e-9));
        CHECK(again[i].y == Approx(points[i].y).margin(1e-9));
      }
      // Turned or not: the hull of the box, and the box that has it.
      const Rect box{2, 1, 5, 4}, hull = t.apply(box), same = back.apply(hull);
      for (const Point corner : {Point{2, 1}, Point{5, 1}, Point{2, 4}, Point{5, 4}}) {
        const Point p = t.apply(corner);
        CHECK((p.x >= hull.x0 - 1e-9 && p.x <= hull.x1 + 1e-9));
        CHECK((p.y >= hull.y0 - 1e-9 && p.y <= hull.y1 + 1e-9));
      }
      CHECK(same.x0 == Approx(box.x0).margin(1e-9));
      CHECK(same.y0 == Approx(box.y0).margin(1e-9));
      CHECK(same.x1 == Approx(box.x1).margin(1e-9));
      CHECK(same.y1 == Approx(box.y1).margin(1e-9));
      const Rect again_there = back.inverse().apply(box);  // a transform again, so a hull
      CHECK(again_there.x0 == Approx(hull.x0).margin(1e-9));
      CHECK(again_there.y1 == Approx(hull.y1).margin(1e-9));
    }
}

TEST_CASE("transform: pixels come back where they were kept") {
  const Tensor image = random_image(1);
  const Tensor original = Transform(kInfo).apply(image);
  for (const Row& row : rows()) {
    if (row.back != Back::Exact) continue;
    int invertible = 0;
    for (uint64_t seed = 0; seed < 20; ++seed) {
      INFO(row.name << ", seed " << seed);
      Rng rng(seed);
      const Transform t = row.policy->draw(rng, kInfo);
      const Transform back = t.inverse();
      const Tensor there = t.apply(image), again = back.apply(there);
      if (t.pixels_invertible()) {
        ++invertible;
        CHECK(max_difference(again, original) <= 2e-7f);
      }
      // What is not restored is the fill colour, and what was visible and not erased is restored.
      const Rect seen = back.frame().visible;
      const float* before = original.data<float>();
      const float* after = again.data<float>();
      int64_t wrong = 0, restored = 0;
      for (int64_t y = 0; y < 8; ++y)
        for (int64_t x = 0; x < 11; ++x) {
          bool same = true, filled = true;
          for (int64_t c = 0; c < 3; ++c, ++before, ++after) {
            same &= std::fabs(*after - *before) <= 2e-7f;
            filled &= std::fabs(*after - kInfo.fill[c]) <= 2e-7f;
          }
          const bool visible = x >= seen.x0 && x < seen.x1 && y >= seen.y0 && y < seen.y1;
          restored += same;
          wrong += visible ? !same && !filled : !filled;
        }
      CHECK(wrong == 0);
      CHECK(restored >= seen.area() - 16 - 0.5);  // a 4 x 4 cutout at most
    }
    if (std::string(row.name) == "flip" || std::string(row.name) == "normalize" ||
        std::string(row.name) == "pad" || std::string(row.name) == "pad to a multiple")
      CHECK(invertible == 20);
    if (std::string(row.name) == "cutout" || std::string(row.name) == "window" ||
        std::string(row.name) == "fixed crop" || std::string(row.name) == "center crop")
      CHECK(invertible == 0);
  }
}

TEST_CASE("transform: what changed colours comes back with them, the rest is undone") {
  const Tensor image = random_image(6);
  for (const Row& row : rows()) {
    if (row.back != Back::Coloured) continue;
    INFO(row.name);
    Rng rng(3);
    const Transform colours = row.policy->draw(rng, kInfo);
    CHECK(to_string(colours.lost()) == "colour");
    const Tensor seen = colours.apply(image);
    CHECK(max_difference(seen, Transform(kInfo).apply(image)) > 0.05f);
    CHECK(max_difference(colours.inverse().apply(seen), seen) == 0);
    // On a part of the image, and normalised.
    const Normalize normalize({0.5f, 0.25f, 0.75f}, {0.25f, 0.5f, 0.125f});
    Transform all = FixedCrop(2, 1, 7, 6).draw(rng, kInfo);
    all.append(row.policy->draw(rng, all.canvas()));
    const Tensor part = all.apply(image);
    all.append(normalize.draw(rng, all.canvas()));
    const Tensor back = all.inverse().apply(all.apply(image));
    for (int64_t y = 0; y < 8; ++y)
      for (int64_t x = 0; x < 11; ++x)
        for (int64_t c = 0; c < 3; ++c) {
          const bool kept = x >= 2 && x < 9 && y >= 1 && y < 7;
          const float got = back.data<float>()[(y * 11 + x) * 3 + c];
          if (kept) {
            CHECK(got == Approx(part.data<float>()[((y - 1) * 7 + x - 2) * 3 + c]).margin(1e-6));
          } else {
            CHECK(got == Approx(kInfo.fill[size_t(c)]).margin(1e-6));
          }
        }
  }
  // A channel that was scaled by 0 stays what it has become.
  const Transform flat = Transform::channels(kInfo, {2, 0, 1, 1}, {0.5f, 0.25f, 0, 0});
  CHECK(to_string(flat.lost()) == "colour");
  const Tensor back = flat.inverse().apply(flat.apply(image));
  for (int64_t i = 0; i < back.numel(); ++i)
    CHECK(back.data<float>()[i] ==
          Approx(i % 3 == 1 ? 0.25 : image.data<uint8_t>()[i] / 255.0).margin(1e-6));
}

TEST_CASE("transform: composing whole-pixel transforms equals applying them in turn") {
  const Tensor image = random_image(2);
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Rng rng(seed);
    Transform all(kInfo);
    Tensor step = Transform(kInfo).apply(image);
    for (int i = 0; i < 5; ++i) {
      const std::vector<Row> policies = rows();
      const Row& row = policies[rng.below(policies.size())];
      const std::string name = row.name;
      if (row.back != Back::Exact || name == "window" || name == "fixed crop" ||
          name == "center crop")
        continue;
      const Transform next = row.policy->draw(rng, all.canvas());
      all = all.then(next);
      step = next.apply(step);
    }
    INFO("seed " << seed);
    CHECK(max_difference(all.apply(image), step) <= 2e-4f);  // scales of up to 8 per normalize
    // The record alone (what the loader uses) gives the same as apply().
    CHECK(all.frame().source_width == 11);
  }
}

TEST_CASE("transform: flip then its inverse is the identity") {
  const Tensor image = random_image(3);
  const Transform flip = Transform::geometric(kInfo, {-1, 0, 11, 0, 1, 0}, 11, 8);
  const Tensor flipped = flip.apply(image);
  CHECK(flipped.data<float>()[0] ==
        Approx(image.data<uint8_t>()[10 * 3] / 255.0).margin(1e-7));  // pixel (0, 0) was (0, 10)
  CHECK(flip.apply(Point{2, 1}).x == 9);
  const Tensor identity = Transform(kInfo).apply(image);
  CHECK(max_difference(flip.then(flip.inverse()).apply(image), identity) == 0);
  CHECK(max_difference(flip.inverse().apply(flipped), identity) == 0);
  CHECK(flip.pixels_invertible());
  CHECK(flip.then(flip.inverse()).frame().visible.x1 == 11);
}

TEST_CASE("transform: one resampling, and what a canvas cut off stays cut off") {
  // Turning left and right again composes to the identity: exact pixels, up to rounding of the map,
  // where the canvas between holds the whole image.
  const ImageInfo info{16, 16, 1, {0}};
  const Tensor image = random_image(4, info);
  const auto turn = [](double angle, int from, int to) {
    const Affine map = Affine::translation(-0.5 * from, -0.5 * from)
                           .then(Affine::rotation(angle))
                           .then(Affine::translation(0.5 * to, 0.5 * to));
    return Transform::geometric({from, from, 1, {0}}, map, to, to);
  };
  const Tensor both = turn(0.5, 16, 24).then(turn(-0.5, 24, 16)).apply(image);
  CHECK(max_difference(both, Transform(info).apply(image)) <= 1e-6f);
  const Tensor steps = turn(-0.5, 24, 16).apply(turn(0.5, 16, 24).apply(image));
  CHECK(max_difference(steps, both) > 0.05f);  // two blur
  // On a canvas of the image's size the corners are lost, and only they.
  const Transform first = turn(0.5, 16, 16), there_and_back = first.then(turn(-0.5, 16, 16));
  const Tensor cornered = there_and_back.apply(image);
  CHECK(to_string(there_and_back.lost()) == "cut, resampled");
  int corners = 0;
  for (int y = 0; y < 16; ++y)
    for (int x = 0; x < 16; ++x) {
      const Point p = first.apply(Point{x + 0.5, y + 0.5});
      const double inside = std::min({p.x, p.y, 16 - p.x, 16 - p.y});  // from the nearest edge
      const float value = cornered.data<float>()[y * 16 + x];
      corners += inside < 0;
      if (inside < 0) CHECK(value == 0);
      if (inside > 1) CHECK(value == Approx(both.data<float>()[y * 16 + x]).margin(1e-6));
    }
  CHECK(corners > 20);

  const Transform left = Transform::geometric(info, Affine::translation(-5, 0), 16, 16);
  const Tensor cut = left.then(left.inverse()).apply(image);
  for (int64_t x = 0; x < 16; ++x) {
    const float expected = x < 5 ? 0 : static_cast<float>(image.data<uint8_t>()[x] / 255.0);
    CHECK(cut.data<float>()[x] == Approx(expected).margin(1e-7));
  }
  // A whole image that moved out of sight never returns.
  const Transform away = Transform::geometric(info, Affine::translation(40, 0), 16, 16);
  const Tensor gone = away.then(left).then(away.inverse()).apply(image);
  CHECK(max_difference(gone, Tensor::zeros({16, 16, 1})) == 0);
  // Nor when its place on the last canvas lies between two areas that both cut it off.
  const auto shift = [&](double x, int width) {
    return Transform::geometric(info, Affine::translation(x, 0), width, 16);
  };
  const Tensor between = shift(20, 16).then(shift(-26, 16)).then(shift(22, 24)).apply(image);
  CHECK(max_difference(between, Tensor::zeros({16, 24, 1})) == 0);
}

TEST_CASE("transform: errors") {
  REQUIRE_THROWS_WITH(Transform(ImageInfo{0, 4, 1, {}}), contains("empty image"));
  REQUIRE_THROWS_WITH(Transform(ImageInfo{4, 4, 5, {}}), contains("1 to 4 channels"));
  REQUIRE_THROWS_WITH(Transform::geometric(kInfo, Affine::scaling(0, 1), 4, 4),
                      contains("singular"));
  REQUIRE_THROWS_WITH(Transform::geometric(kInfo, Affine{}, 0, 4), contains("empty canvas"));
  const Transform window = Transform::geometric(kInfo, Affine{}, 5, 5);
  REQUIRE_THROWS_WITH(window.then(Transform(kInfo)), contains("[transform] the next transform"));
  REQUIRE_THROWS_WITH(window.apply(Tensor::zeros({5, 5, 3}, Dtype::U8)), contains("(8, 11, 3)"));
  REQUIRE_THROWS_WITH(window.apply(Tensor()), contains("[transform]"));
  REQUIRE_THROWS_WITH(window.apply(Tensor::zeros({8, 11, 3}, Dtype::I64)), contains("i64"));
  const double c45 = std::sqrt(0.5);
  const Transform eighth = Transform::geometric(kInfo, {c45, -c45, 0, c45, c45, 0}, 16, 16);
  REQUIRE_THROWS_WITH(eighth.inverse().apply(Rect{1, 1, 2, 2}), contains("[box_back]"));

  REQUIRE_THROWS_WITH(RandomCrop(-1), contains("[random_crop]"));
  Rng rng(0);
  REQUIRE_THROWS_WITH(RandomCrop(0, 12, 4).draw(rng, kInfo), contains("does not fit"));
  REQUIRE_THROWS_WITH(RandomFlip(1.5), contains("[random_flip]"));
  REQUIRE_THROWS_WITH(RandomFlip(std::nan("")), contains("[random_flip]"));
  REQUIRE_THROWS_WITH(Cutout(0), contains("[cutout]"));
  REQUIRE_THROWS_WITH(RandomAffine({.degrees = -1}), contains("degrees"));
  REQUIRE_THROWS_WITH(RandomAffine({.translate = 2}), contains("translate"));
  REQUIRE_THROWS_WITH(RandomAffine({.scale_low = 0}), contains("scale"));
  REQUIRE_THROWS_WITH(RandomAffine({.scale_low = 2}), contains("scale"));
  REQUIRE_THROWS_WITH(RandomAffine({.shear = 90}), contains("shear"));
  REQUIRE_THROWS_WITH(Normalize({0.5f}, {0}), contains("std must be positive"));
  REQUIRE_THROWS_WITH(Normalize({0.5f}, {1, 1}), contains("[normalize]"));
  REQUIRE_THROWS_WITH(Normalize({0.5f}, {1}).draw(rng, kInfo), contains("[normalize]"));
}

TEST_CASE("policies: the distributions are what they say") {
  const ImageInfo info{32, 32, 3, {}};
  const int n = 20000;
  int flips = 0, uprights = 0;
  std::vector<int> place(9 * 9);
  double cut_area = 0, low_angle = 9, high_angle = -9, low_scale = 9, high_scale = 0, moved = 0;
  for (int i = 0; i < n; ++i) {
    Rng rng(7, Purpose::Augment, static_cast<uint64_t>(i));
    flips += RandomFlip().draw(rng, info).frame().map.a < 0;
    uprights += RandomFlip(0, 0.25).draw(rng, info).frame().map.e > 0;
    const Affine crop = RandomCrop(4).draw(rng, info).frame().map;
    ++place[static_cast<size_t>((crop.c + 4) * 9 + crop.f + 4)];
    const Transform cut = Cutout(16).draw(rng, info);
    const Rect area = cut.row(0).erase[0].rect;
    cut_area += Rect{std::max(area.x0, 0.0), std::max(area.y0, 0.0), std::min(area.x1, 32.0),
                     std::min(area.y1, 32.0)}
                    .area();
    const RandomAffine affine(
        {.degrees = 15, .translate = 0.1, .scale_low = 0.9, .scale_high = 1.1});
    const Transform t = affine.draw(rng, info);
    const Affine m = t.frame().map;
    low_angle = std::min(low_angle, std::atan2(m.d, m.a));
    high_angle = std::max(high_angle, std::atan2(m.d, m.a));
    low_scale = std::min(low_scale, std::sqrt(m.determinant()));
    high_scale = std::max(high_scale, std::sqrt(m.determinant()));
    moved = std::max(moved, std::fabs(t.apply(Point{16, 16}).x - 16));
  }
  CHECK(flips == Approx(n / 2).margin(300));                            // 4 sigma = 283
  CHECK(uprights == Approx(0.75 * n).margin(260));                      // 4 sigma = 245
  for (int count : place) CHECK(count == Approx(n / 81.0).margin(75));  // 4.7 sigma
  // E[length] per axis: the centre is uniform over 32 pixels, 8 left and 8 right, cut at the
  // border.
  double length = 0;
  for (int centre = 0; centre < 32; ++centre)
    length += (std::min(centre + 8, 32) - std::max(centre - 8, 0)) / 32.0;
  CHECK(cut_area / n == Approx(length * length).epsilon(0.01));
  const double radians = 15 * std::numbers::pi / 180;
  CHECK((low_angle >= -radians && low_angle < -0.98 * radians));
  CHECK((high_angle <= radians && high_angle > 0.98 * radians));
  CHECK((low_scale >= 0.9 - 1e-12 && low_scale < 0.902));
  CHECK((high_scale <= 1.1 + 1e-12 && high_scale > 1.098));
  CHECK((moved <= 3.2 + 1e-12 && moved > 3.15));
}

TEST_CASE("make_augment: switches, order and the normalised fill") {
  const ChannelStatistics statistics{{0.5f, 0.4f, 0.3f}, {0.25f, 0.2f, 0.1f}};
  const ImageInfo info{32, 32, 3, {0.5f, 0.4f, 0.3f}};
  const Tensor image = random_image(5, info);
  Rng rng(1);
  const Tensor plain = make_augment({}, statistics)->draw(rng, info).apply(image);
  for (int64_t i = 0; i < plain.numel(); ++i) {
    const auto c = static_cast<size_t>(i % 3);
    CHECK(plain.data<float>()[i] ==
          Approx((image.data<uint8_t>()[i] / 255.0 - statistics.mean[c]) / statistics.std[c])
              .margin(1e-5));
  }
  const auto full = make_augment(
      {.crop_padding = 4, .flip = true, .affine = {.degrees = 10}, .cutout = 8}, statistics);
  bool flipped = false, straight = false;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Rng draw(seed);
    const Transform t = full->draw(draw, info);
    const kernels::AugmentRow row = t.row(3);
    CHECK(row.source == 3);
    REQUIRE(row.erase.size() == 1);
    flipped |= t.frame().map.determinant() < 0;
    straight |= t.frame().map.determinant() > 0;
    // Inside the erased square the network sees 0, the mean.
    const Rect area = row.erase[0].rect;
    const auto x = static_cast<int64_t>(std::clamp(area.x0, 0.0, 31.0));
    const auto y = static_cast<int64_t>(std::clamp(area.y0, 0.0, 31.0));
    const Tensor out = t.apply(image);
    for (int64_t c = 0; c < 3; ++c)
      CHECK(out.data<float>()[(y * 32 + x) * 3 + c] == Approx(0).margin(1e-6));
  }
  CHECK((flipped && straight));
  REQUIRE_THROWS_WITH(make_augment({.crop_padding = -1}, statistics), contains("[random_crop]"));
  REQUIRE_THROWS_WITH(make_augment({.cutout = -1}, statistics), contains("[cutout]"));
}
