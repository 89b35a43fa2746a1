// Upright chains that cut and then scale: as if every step had made its pixels, nothing from beyond
// a cut is blended in, and masks show what pixels do.
#include "kernels/resample.h"
#include "tests/data/random_chain.h"
#include "tests/support/catch.h"
#include "tests/support/distance.h"

using namespace ditto;
using namespace ditto::data;
using namespace ditto::testing;

namespace {

constexpr float kFill = 0.75f;

// Cuts, pads, mirrors: whole pixels.
std::vector<Transform> whole_steps(Rng& rng, const ImageInfo& info) {
  std::vector<Transform> steps{Transform(info)};
  for (uint64_t i = 1 + rng.below(3); i > 0; --i)
    steps.push_back(random_policy(rng, Chain::Lossless)->draw(rng, steps.back().canvas()));
  return steps;
}

Transform scaled(Rng& rng, const ImageInfo& canvas, bool average) {
  const int width = 20 + static_cast<int>(rng.below(80)),
            height = 20 + static_cast<int>(rng.below(80));
  if (average)
    return Transform::resized(canvas, {0, 0, double(canvas.width), double(canvas.height)}, width,
                              height);
  return Transform::geometric(
      canvas,
      Affine::scaling(rng.uniform(0.4, 2.5), rng.uniform(0.4, 2.5))
          .then(Affine::translation(rng.uniform(-5, 5), rng.uniform(-5, 5))),
      width, height);
}

}  // namespace

TEST_CASE("upright chains: cut and then scaled is as if the cut had been made in pixels") {
  int cut = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    Rng rng(seed, Purpose::User, 21);
    ImageInfo info = random_info(rng);
    info.fill = {kFill, kFill, kFill, kFill};
    const Tensor image = random_pixels(rng, info);
    const std::vector<Transform> steps = whole_steps(rng, info);
    const Transform first = joined(steps);
    const Transform next = scaled(rng, first.canvas(), seed % 2 == 0);
    const bool average = seed % 2 == 0;
    INFO("seed " << seed);
    cut += first.lost().cut;
    const Transform chain = first.then(next);
    const Tensor both = chain.apply(image), in_turn = next.apply(first.apply(image));
    const float *a = both.data<float>(), *b = in_turn.data<float>();
    const Rle seen = warp(Rle::rectangle(kEverywhere, info.height, info.width), chain.nearest());
    const std::vector<uint8_t> mask = seen.decode();
    // An average of two steps blends fill from padding across the border of the image; in one step
    // what the image shows takes nothing from there.
    const Affine back = next.frame().map.inverse();
    const double reach_x = 1 + std::max(1.0, std::fabs(back.a)),
                 reach_y = 1 + std::max(1.0, std::fabs(back.e));
    const Rect image_there = first.frame().visible;
    int wrong = 0;
    for (int y = 0; y < both.dim(0); ++y)
      for (int x = 0; x < both.dim(1); ++x) {
        const Point p = back(Point{x + 0.5, y + 0.5});
        const auto at_border = [&](double low, double high, double v, double reach, int size) {
          const bool padded_low = low > 0, padded_high = high < size;
          return (padded_low && std::fabs(v - low) < reach) ||
                 (padded_high && std::fabs(v - high) < reach);
        };
        const bool soft =
            average &&
            (at_border(image_there.x0, image_there.x1, p.x, reach_x, first.canvas().width) ||
             at_border(image_there.y0, image_there.y1, p.y, reach_y, first.canvas().height));
        const size_t at =
            static_cast<size_t>(y) * static_cast<size_t>(both.dim(1)) + static_cast<size_t>(x);
        for (int c = 0; c < info.channels; ++c) {
          const float got = a[at * static_cast<size_t>(info.channels) + static_cast<size_t>(c)],
                      expected =
                          b[at * static_cast<size_t>(info.channels) + static_cast<size_t>(c)];
          if (!soft) wrong += std::fabs(got - expected) > 1e-5f;
          if (average) wrong += mask[at] == 0 && got != kFill;
        }
      }
    CHECK(wrong == 0);
  }
  CHECK(cut > 200);
}

TEST_CASE("upright chains: a cut through pixels leaves neither a gap nor what is beyond") {
  // Columns of the image: 1 up to the cut, then 1000. Twice as large, cut by an odd number of
  // pixels, and enlarged again: the cut goes through the middle of a column.
  const ImageInfo info{20, 12, 1, {-7, -7, -7, -7}};
  for (const int kept : {21, 22, 23}) {
    Tensor image = Tensor::empty({12, 20, 1});
    for (int64_t i = 0; i < image.numel(); ++i)
      image.data<float>()[i] = 2.0 * static_cast<double>(i % 20) + 1 < kept ? 1.0f : 1000.0f;
    const Transform twice = Transform::resized(info, {0, 0, 20, 12}, 40, 24);
    const Transform cut = Transform::geometric(twice.canvas(), Affine{}, kept, 24);
    for (const int wider : {0, 9}) {
      const Transform pad =
          Transform::geometric(cut.canvas(), Affine::translation(wider, 0), kept + 2 * wider, 24);
      const ImageInfo canvas = pad.canvas();
      const Transform again =
          Transform::resized(canvas, {0, 0, double(canvas.width), 24}, 4 * canvas.width, 48);
      const Transform chain = twice.then(cut).then(pad).then(again);
      const Tensor out = chain.apply(image);
      const std::vector<uint8_t> mask =
          warp(Rle::rectangle(kEverywhere, 12, 20), chain.nearest()).decode();
      INFO("kept " << kept << ", padded by " << wider);
      int wrong = 0;
      for (int64_t x = 0; x < out.dim(1); ++x) {
        const bool shown = x >= 4 * wider && x < 4 * (wider + kept);
        wrong += out.data<float>()[x] != Approx(shown ? 1.0 : -7.0);
        wrong += (mask[static_cast<size_t>(x)] != 0) != shown;
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("upright chains: an average shows what masks do, to the last bit") {
  int64_t at_limit = 0;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    Rng rng(seed, Purpose::User, 22);
    const double scale = rng.uniform(0.2, 4) * (rng.chance(0.5) ? 1 : -1);
    const double shift = rng.uniform(-5, 25);
    NearestMap map{.inverse = {scale, 0, shift, 0, 1, 0},
                   .source_width = 20,
                   .source_height = 1,
                   .width = 30,
                   .height = 1};
    // A limit where the centre of an output pixel lies, or next to it.
    const int at = static_cast<int>(rng.below(30));
    map.area.x0 = affine_coordinate(scale, 0, shift, at + 0.5, 0.5);
    if (rng.chance(0.3)) map.area.x0 = std::nextafter(map.area.x0, 100);
    if (!(map.area.x0 > 0 && map.area.x0 < 19)) continue;
    ++at_limit;
    kernels::ResampleAxis axis;
    axis.plan(scale, shift, map.area.x0, map.area.x1, 20, 30);
    const Rle shown = warp(Rle::rectangle(kEverywhere, 1, 20), map);
    const std::vector<uint8_t> mask = shown.decode();
    int wrong = 0;
    for (int64_t i = 0; i < 30; ++i)
      wrong += (mask[static_cast<size_t>(i)] != 0) != (i >= axis.begin() && i < axis.end());
    CHECK(wrong == 0);
  }
  CHECK(at_limit > 300);
}
