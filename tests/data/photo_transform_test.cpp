// The transforms of photographs: resizing, crops and colours, against torchvision
// (tests/reference/transform_values.py).
#include <cmath>
#include <map>

#include "core/serialize.h"
#include "data/augment.h"
#include "data/transforms/center_crop.h"
#include "data/transforms/color_jitter.h"
#include "data/transforms/crop.h"
#include "data/transforms/flip.h"
#include "data/transforms/grayscale.h"
#include "data/transforms/normalize.h"
#include "data/transforms/random_resized_crop.h"
#include "data/transforms/resize.h"
#include "tests/support/catch.h"
#include "tests/support/paths.h"

using namespace ditto;
using namespace ditto::data;
using ditto::kernels::ColourKind;
using ditto::testing::contains;

namespace {

const TensorMap& reference() {
  static const TensorMap values =
      load_safetensors(testing::source_path("tests/reference/transform_values.safetensors"))
          .tensors;
  return values;
}

ImageInfo info_of(const Tensor& image) {
  return {static_cast<int>(image.dim(1)),
          static_cast<int>(image.dim(0)),
          static_cast<int>(image.dim(2)),
          {}};
}

double max_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  const auto x = a.to_vector<double>(), y = b.to_vector<double>();
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i)
    worst = std::isnan(x[i] - y[i]) ? INFINITY : std::max(worst, std::fabs(x[i] - y[i]));
  return worst;
}

Transform draw(const Augment& policy, const Tensor& image, uint64_t seed = 1) {
  Rng rng(seed);
  return policy.draw(rng, info_of(image));
}

void compare(const std::string& name, const Transform& transform, const Tensor& image,
             double tolerance = 2e-6) {
  INFO(name);
  CHECK(max_difference(transform.apply(image), reference().at(name)) <= tolerance);
}

// Every part at once, for properties that need no reference.
std::shared_ptr<const Augment> everything() {
  return make_augment({.flip = true,
                       .affine = {},
                       .width = 20,
                       .height = 16,
                       .random_resized_crop = true,
                       .jitter = {0.4, 0.4, 0.4, 0.1},
                       .rand_affine = 0.3,
                       .grayscale = 0.2,
                       .blur = 0.5,
                       .solarize = 0.3},
                      {{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}});
}

}  // namespace

TEST_CASE("resize: as torchvision, smaller and larger, from bytes and floats") {
  int compared = 0;
  for (const auto& [name, expected] : reference()) {
    if (!name.starts_with("resize.")) continue;
    ++compared;
    const Tensor image = reference().at("image." + name.substr(7, name.find('.', 7) - 7));
    const Resize policy(static_cast<int>(expected.dim(1)), static_cast<int>(expected.dim(0)));
    compare(name, draw(policy, image), image);
    compare(name, draw(policy, image), Transform(info_of(image)).apply(image));
  }
  CHECK(compared == 7);
}

TEST_CASE("evaluation: shorter side, then the middle, with padding where it is too small") {
  for (const auto& [name, side] : {std::pair{"evaluation", 18}, {"pad", 6}})
    for (const std::string which : {"wide", "small"}) {
      const Tensor image = reference().at("image." + which);
      Transform transform = draw(Resize(side), image);
      transform.append(draw(CenterCrop(16, 15), transform.apply(image)));
      compare(std::string(name) + "." + which, transform, image);
    }
}

TEST_CASE("resized area: as torchvision's crop and resize, nothing beside the area blends in") {
  const Tensor image = reference().at("image.wide");
  int compared = 0;
  for (const auto& [name, expected] : reference()) {
    if (!name.starts_with("crop.")) continue;
    ++compared;
    std::vector<int> n;
    for (size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
      n.push_back(std::stoi(name.substr(dot + 1)));
    const Rect area{double(n[1]), double(n[0]), double(n[1] + n[3]), double(n[0] + n[2])};
    const Transform transform = Transform::resized(info_of(image), area, 18, 14);
    compare(name, transform, image);
    // A mirror behind it does not change that.
    Transform mirrored = transform;
    mirrored.append(draw(RandomFlip(1), transform.apply(image)));
    const Tensor values = mirrored.apply(image);
    double worst = 0;
    for (int64_t y = 0; y < 14; ++y)
      for (int64_t x = 0; x < 54; ++x)
        worst = std::max<double>(
            worst, std::fabs(values.data<float>()[y * 54 + x] -
                             expected.data<float>()[y * 54 + (17 - x / 3) * 3 + x % 3]));
    CHECK(worst <= 2e-6);
  }
  CHECK(compared == 4);
}

TEST_CASE("colours: each change as torchvision's") {
  const Tensor image = reference().at("image.small");
  const std::map<std::string, ColourKind> kinds = {{"brightness", ColourKind::Brightness},
                                                   {"contrast", ColourKind::Contrast},
                                                   {"saturation", ColourKind::Saturation},
                                                   {"hue", ColourKind::Hue}};
  int compared = 0;
  for (const auto& [name, expected] : reference()) {
    const std::string stem = name.substr(0, name.find('.'));
    if (!kinds.contains(stem)) continue;
    ++compared;
    const auto factor = std::stof(name.substr(stem.size() + 1));
    compare(name, Transform::colour(info_of(image), {.kind = kinds.at(stem), .factor = factor}),
            image, stem == "hue" ? 2e-5 : 2e-6);
  }
  CHECK(compared == 13);
  compare("grey", draw(RandomGrayscale(1), image), image);
}

TEST_CASE("colours: the order of the parts holds, normalisation comes last") {
  const Tensor image = reference().at("image.small");
  Transform chain(info_of(image));
  for (const auto& [kind, factor] : {std::pair{ColourKind::Brightness, 1.3f},
                                     {ColourKind::Saturation, 0.6f},
                                     {ColourKind::Contrast, 1.5f},
                                     {ColourKind::Hue, -0.15f}})
    chain.append(Transform::colour(chain.canvas(), {.kind = kind, .factor = factor}));
  chain.append(draw(Normalize({0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}), image));
  compare("chain", chain, image, 1e-4);

  // An affine change before, between and after the others: as one after the other on pixels.
  const auto affine = [](const ImageInfo& info, float scale, float offset) {
    return Transform::channels(info, {scale, scale, 1, 1}, {offset, 0, offset, 0});
  };
  const ImageInfo info = info_of(image);
  const std::vector<Transform> parts = {
      affine(info, 0.5f, 0.2f),
      Transform::colour(info, {.kind = ColourKind::Contrast, .factor = 0.3f}),
      affine(info, 0.9f, 0.05f), Transform::colour(info, {.kind = ColourKind::Hue, .factor = 0.2f}),
      affine(info, 3, -1)};
  Transform composed(info);
  Tensor stepwise = image;
  for (const Transform& part : parts) {
    composed.append(part);
    stepwise = part.apply(stepwise);
  }
  CHECK(max_difference(composed.apply(image), stepwise) <= 1e-6);
  CHECK_FALSE(composed.pixels_invertible());
  // The last scale and offset are undone, what lies before a change of colour stays.
  const Tensor back = composed.inverse().apply(stepwise), last = stepwise.clone();
  for (int64_t i = 0; i < last.numel(); ++i)
    last.data<float>()[i] =
        (last.data<float>()[i] + (i % 3 == 1 ? 0.0f : 1.0f)) / (i % 3 == 2 ? 1.0f : 3.0f);
  CHECK(max_difference(back, last) <= 1e-6);
}

TEST_CASE("colours: what is not image takes part, erased areas do not count in the mean") {
  const Tensor image = reference().at("image.small");
  ImageInfo info = info_of(image);
  info.fill = {0.9f, 0.2f, 0.1f};
  Transform shifted = Transform::geometric(info, Affine::translation(4, 0), 10, 12);
  shifted.append(Transform::colour(info, {.kind = ColourKind::Saturation, .factor = 0}));
  const Tensor grey = shifted.apply(image);
  for (int c = 0; c < 3; ++c)
    CHECK(grey.data<float>()[c] == Approx(0.2989 * 0.9 + 0.587 * 0.2 + 0.114 * 0.1));

  const kernels::ColourChange contrast{.kind = ColourKind::Contrast, .factor = 0.5f};
  Transform erased = Transform::colour(info, contrast);
  const Tensor whole = erased.apply(image);
  erased.append(Transform::erase(info, {0, 0, 5, 5}));
  const Tensor holed = erased.apply(image);
  CHECK(holed.data<float>()[11 * 30 + 29] == whole.data<float>()[11 * 30 + 29]);
  // One channel has brightness and contrast only.
  const ImageInfo one{4, 4, 1, {}};
  const Tensor flat = Tensor::full({4, 4, 1}, 0.25);
  for (const auto& [kind, expected] : {std::pair{ColourKind::Brightness, 0.5},
                                       {ColourKind::Contrast, 0.25},
                                       {ColourKind::Saturation, 0.25},
                                       {ColourKind::Hue, 0.25}})
    CHECK(Transform::colour(one, {.kind = kind, .factor = 2}).apply(flat).data<float>()[7] ==
          Approx(expected));
  REQUIRE_THROWS_WITH(Transform::colour({4, 4, 2, {}}, contrast), contains("1 or 3 channels"));
}

TEST_CASE("random resized crop: areas, ratios and the ten attempts") {
  Rng rng(5);
  const ImageInfo info{400, 300, 3, {}};
  const RandomResizedCrop policy(32, 24, {.scale_low = 0.2, .scale_high = 0.6});
  double smallest = 1, largest = 0, narrowest = 9, widest = 0;
  for (int i = 0; i < 2000; ++i) {
    const Transform transform = policy.draw(rng, info);
    CHECK(transform.frame().width == 32);
    CHECK(transform.frame().height == 24);
    const Rect area = transform.frame().inverse().map(Rect{0, 0, 32, 24});
    const double part = area.area() / (400 * 300);
    const double ratio = (area.x1 - area.x0) / (area.y1 - area.y0);
    smallest = std::min(smallest, part), largest = std::max(largest, part);
    narrowest = std::min(narrowest, ratio), widest = std::max(widest, ratio);
    CHECK((area.x0 > -1e-9 && area.y0 > -1e-9 && area.x1 < 400 + 1e-9 && area.y1 < 300 + 1e-9));
    CHECK(std::fabs(area.x0 - std::round(area.x0)) < 1e-9);
  }
  CHECK((smallest > 0.195 && smallest < 0.205 && largest > 0.59 && largest < 0.605));
  CHECK((narrowest > 0.74 && narrowest < 0.77 && widest > 1.3 && widest < 1.345));

  // No size fits a strip: its middle, as wide as the ratio allows.
  const RandomResizedCrop whole(8, 8, {.scale_low = 1});
  const Rect middle = whole.draw(rng, {100, 10, 3, {}}).frame().inverse().map(Rect{0, 0, 8, 8});
  CHECK(middle.x0 == Approx(43));
  CHECK(middle.x1 == Approx(56));
  CHECK(middle.y1 == Approx(10));
  const Rect upright = whole.draw(rng, {10, 100, 3, {}}).frame().inverse().map(Rect{0, 0, 8, 8});
  CHECK(upright.y0 == Approx(43));
  CHECK(upright.y1 == Approx(56));
  CHECK(whole.draw(rng, {1, 1, 3, {}}).frame().width == 8);
}

TEST_CASE("photo policies: coordinates come back, draws depend on the seed alone") {
  const Tensor image = reference().at("image.wide");
  const auto policy = everything();
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Transform transform = draw(*policy, image, seed);
    const Frame back = transform.frame().inverse();
    for (const Point p : {Point{0, 0}, Point{26.5, 11}, Point{53, 37}}) {
      const Point there = transform.apply(p), again = back.map(there);
      CHECK(again.x == Approx(p.x).margin(1e-10));
      CHECK(again.y == Approx(p.y).margin(1e-10));
    }
    const auto values = transform.apply(image).to_vector<float>();
    CHECK(values == draw(*policy, image, seed).apply(image).to_vector<float>());
    CHECK(std::ranges::all_of(values, [](float v) { return std::isfinite(v); }));
  }
}

TEST_CASE("resized area: the way back enlarges, and crops in between count") {
  const Tensor image = reference().at("image.wide");
  const ImageInfo info = info_of(image);
  const Transform transform = Transform::resized(info, {5, 3, 45, 33}, 20, 15);
  const Tensor small = transform.apply(image), back = transform.inverse().apply(small);
  CHECK(back.shape() == Shape{37, 53, 3});
  CHECK(back.data<float>()[0] == 0);  // outside the area
  const Tensor enlarged = Transform::resized(info_of(small), {0, 0, 20, 15}, 40, 30).apply(small);
  double worst = 0;
  for (int64_t y = 0; y < 30; ++y)
    for (int64_t x = 0; x < 120; ++x)
      worst = std::max<double>(worst, std::fabs(back.data<float>()[((y + 3) * 53 + 5) * 3 + x] -
                                                enlarged.data<float>()[y * 120 + x]));
  CHECK(worst <= 1e-6);

  // A crop, then a resize: equal to the area of the crop.
  Transform cropped = Transform::geometric(info, Affine::translation(-7, -2), 30, 20);
  cropped.append(Transform::resized(cropped.canvas(), {0, 0, 30, 20}, 12, 9));
  const Transform direct = Transform::resized(info, {7, 2, 37, 22}, 12, 9);
  CHECK(max_difference(cropped.apply(image), direct.apply(image)) <= 1e-6);
  // A crop that sticks out: what is beyond the image is fill.
  Transform padded = Transform::geometric(info, Affine::translation(20, 0), 40, 37);
  padded.append(Transform::resized(padded.canvas(), {0, 0, 40, 37}, 20, 37));
  CHECK(padded.apply(image).data<float>()[9 * 3] == 0);
  CHECK(padded.apply(image).data<float>()[10 * 3 + 1] > 0);
}

TEST_CASE("photo transforms: errors") {
  const ImageInfo info{10, 8, 3, {}};
  REQUIRE_THROWS_WITH(Transform::resized(info, {0, 0, 11, 8}, 4, 4), contains("not inside"));
  REQUIRE_THROWS_WITH(Transform::resized(info, {3, 3, 3, 8}, 4, 4), contains("is empty"));
  REQUIRE_THROWS_WITH(Transform::resized(info, {0, 0, NAN, 8}, 4, 4), contains("nan"));
  REQUIRE_THROWS_WITH(Transform::resized(info, {0, 0, 4, 8}, 0, 4), contains("empty canvas"));
  REQUIRE_THROWS_WITH(Resize(0), contains("at least 1"));
  REQUIRE_THROWS_WITH(Resize(4, -1), contains("at least 1 x 1"));
  REQUIRE_THROWS_WITH(CenterCrop(0, 4), contains("[center_crop]"));
  REQUIRE_THROWS_WITH(RandomResizedCrop(4, 4, {.scale_low = 0}), contains("scale_low"));
  REQUIRE_THROWS_WITH(RandomResizedCrop(4, 4, {.ratio_low = 2}), contains("ratio_low"));
  REQUIRE_THROWS_WITH(ColorJitter({.brightness = -1}), contains("must not be negative"));
  REQUIRE_THROWS_WITH(ColorJitter({.hue = 0.6}), contains("hue in [0, 0.5], got 0.6"));
  REQUIRE_THROWS_WITH(RandomGrayscale(1.5), contains("probability"));
}
