// Chains that turn, shear, resize, cut and pad in any order: pixels and masks show the same part of
// the image, and it is the part that no canvas on the way had cut off.
#include "kernels/map_back.h"
#include "tests/data/random_chain.h"
#include "tests/support/catch.h"

using namespace ditto;
using namespace ditto::data;
using namespace ditto::testing;

namespace {

constexpr float kFill = 0.75f, kValue = 0.25f;

// How far inside all canvases on the way, and inside the image, the source of a point of the last
// canvas lies, in pixels of the canvas where it is least; negative: beyond.
double inside(const std::vector<Transform>& steps, Point p) {
  double least = HUGE_VAL;
  for (size_t i = steps.size(); i-- > 0;) {
    const Frame& frame = steps[i].frame();
    p = frame.map.inverse()(p);
    least = std::min({least, p.x, p.y, frame.source_width - p.x, frame.source_height - p.y});
  }
  return least;
}

// The largest factor by which the map magnifies a distance.
double magnification(const Affine& m) {
  const double sum = m.a * m.a + m.b * m.b + m.d * m.d + m.e * m.e, det = m.determinant();
  return std::sqrt(0.5 * (sum + std::sqrt(std::max(0.0, sum * sum - 4 * det * det))));
}

Tensor flat_image(const ImageInfo& info) {
  return Tensor::full({info.height, info.width, info.channels}, kValue);
}

}  // namespace

TEST_CASE("property: masks of turned chains show what no canvas had cut off") {
  int64_t shown = 0, hidden = 0, unclear = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed, Purpose::User, 11);
    const ImageInfo info = random_info(rng);
    const std::vector<Transform> steps = oblique_chain(rng, info);
    const Transform t = joined(steps);
    INFO("seed " << seed << ", lost: " << to_string(t.lost()));
    const std::vector<uint8_t> mask =
        warp(Rle::rectangle(kEverywhere, info.height, info.width), t.nearest()).decode();
    int64_t wrong = 0;
    for (int y = 0; y < t.frame().height; ++y)
      for (int x = 0; x < t.frame().width; ++x) {
        const double margin = inside(steps, {x + 0.5, y + 0.5});
        const bool shows = mask[static_cast<size_t>(y * t.frame().width + x)] != 0;
        if (std::fabs(margin) < 1e-5) {
          ++unclear;
          continue;
        }
        ++(margin > 0 ? shown : hidden);
        wrong += shows != (margin > 0);
      }
    CHECK(wrong == 0);
  }
  CHECK((shown > 100000 && hidden > 100000 && unclear < 1000));
}

TEST_CASE("property: back from a turned chain comes what all its canvases show") {
  int64_t shown = 0, hidden = 0, beside_hull = 0, corners = 0;  // of the hull that are hidden
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed, Purpose::User, 13);
    const ImageInfo info = random_info(rng);
    const std::vector<Transform> steps = oblique_chain(rng, info);
    const Transform t = joined(steps), inverse = t.inverse();
    INFO("seed " << seed);
    const Frame& frame = t.frame();
    const Rle everything = Rle::rectangle(kEverywhere, frame.height, frame.width);
    const auto size = static_cast<size_t>(info.height * info.width);
    // What comes back from a canvas full of ones, by all ways there are.
    const Tensor ones = Tensor::full({1, frame.height, frame.width}, 1),
                 labels = ones.to(Dtype::U8).clone(),
                 maps = ones.alias({1, frame.height, frame.width, 1},
                                   contiguous_strides({1, frame.height, frame.width, 1}), 0);
    const Tensor kinds = Tensor::empty({1, info.height, info.width}, Dtype::U8),
                 seen = kinds.clone(), values = Tensor::empty({1, info.height, info.width, 1});
    kernels::label_maps_back(cpu_context(), labels.view(), {&frame, 1}, 0, kinds.view());
    kernels::class_maps_back(cpu_context(), maps.view(), {&frame, 1}, values.view(), seen.view());
    const std::vector<uint8_t> ways[] = {warp(everything, inverse.nearest()).decode(),
                                         warp(everything, NearestMap::back(frame)).decode(),
                                         kinds.to_vector<uint8_t>(), seen.to_vector<uint8_t>()};
    CHECK((ways[1] == ways[2] && ways[1] == ways[3]));
    int64_t wrong = 0;
    for (size_t i = 0; i < size; ++i) {
      const auto x = static_cast<int>(i) % info.width, y = static_cast<int>(i) / info.width;
      double margin = HUGE_VAL;
      Point p{x + 0.5, y + 0.5};
      for (const Transform& step : steps) {
        const Frame& canvas = step.frame();
        p = canvas.map(p);
        margin = std::min({margin, p.x, p.y, canvas.width - p.x, canvas.height - p.y});
      }
      if (std::fabs(margin) < 1e-5) continue;
      ++(margin > 0 ? shown : hidden);
      const Rect& hull = frame.visible;
      const bool in_hull = p.x > hull.x0 && p.y > hull.y0 && p.x < hull.x1 && p.y < hull.y1;
      beside_hull += margin > 0 && !in_hull;
      corners += margin < 0 && in_hull;
      for (const std::vector<uint8_t>& way : ways) wrong += (way[i] != 0) != (margin > 0);
      wrong += values.data<float>()[i] != (margin > 0 ? 1.0f : 0.0f);
    }
    CHECK(wrong == 0);
  }
  CHECK((shown > 100000 && hidden > 100000 && beside_hull == 0 && corners > 10000));
}

TEST_CASE("property: pixels of turned chains are image where masks are, and fill elsewhere") {
  int averaged = 0, bilinear = 0;
  int64_t compared = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed, Purpose::User, 12);
    ImageInfo info = random_info(rng, seed % 2 == 0 ? 3 : 1);
    info.fill = {kFill, kFill, kFill, kFill};
    const std::vector<Transform> steps = oblique_chain(rng, info);
    const Transform t = joined(steps);
    const bool averages = t.row(0).average;
    ++(averages ? averaged : bilinear);
    INFO("seed " << seed << ", lost: " << to_string(t.lost()));
    const std::vector<uint8_t> mask =
        warp(Rle::rectangle(kEverywhere, info.height, info.width), t.nearest()).decode();
    const Tensor out = t.apply(flat_image(info));
    // Bilinear sampling blends image and fill over a pixel of the source across a border.
    double soft = 0;
    Affine map;
    for (const Transform& step : steps) {
      if (!averages) soft = std::max(soft, 1.5 * magnification(map));
      map = map.then(step.frame().map);
    }
    int64_t wrong = 0;
    for (int y = 0; y < t.frame().height; ++y)
      for (int x = 0; x < t.frame().width; ++x) {
        const auto at = static_cast<size_t>(y * t.frame().width + x);
        if (std::fabs(inside(steps, {x + 0.5, y + 0.5})) < soft) continue;
        ++compared;
        const float expected = mask[at] != 0 ? kValue : kFill;
        for (int c = 0; c < info.channels; ++c) {
          const float value = out.data<float>()[static_cast<int64_t>(at) * info.channels + c];
          wrong += mask[at] != 0 ? std::fabs(value - expected) > 1e-6f : value != expected;
        }
      }
    CHECK(wrong == 0);
  }
  CHECK((averaged > 100 && bilinear > 10 && compared > 300000));
}
