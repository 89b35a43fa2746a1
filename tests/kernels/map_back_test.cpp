#include "kernels/map_back.h"

#include "core/box_map.h"
#include "core/nearest_map.h"
#include "core/rng.h"
#include "core/tensor.h"
#include "tests/support/catch.h"

using namespace ditto;
using namespace ditto::kernels;
using ditto::testing::contains;

namespace {

Frame turned(double degrees, double scale, int width = 40, int height = 30) {
  return Frame::identity(width, height)
      .then(Affine::translation(-width / 2.0, -height / 2.0)
                .then(Affine::rotation(degrees * 3.14159265358979 / 180))
                .then(Affine::scaling(scale, scale))
                .then(Affine::translation(32, 28)),
            64, 56);
}

Frame flipped_and_padded() {
  return Frame::identity(40, 30)
      .then({-1, 0, 40, 0, 1, 0}, 40, 30)
      .then(Affine::translation(7, 5), 64, 56);
}

}  // namespace

TEST_CASE("map_back: boxes there and back, f32 and f64") {
  const std::vector<Frame> frames{turned(12, 1.4), flipped_and_padded(), turned(-15, 0.6)};
  Rng rng(1);
  for (const Dtype dtype : {Dtype::F32, Dtype::F64}) {
    const Tensor boxes = Tensor::empty({3, 50, 4}, Dtype::F64);
    for (int64_t i = 0; i < 600; i += 4) {
      const double x = rng.uniform(0, 30), y = rng.uniform(0, 20);
      const double box[] = {x, y, x + rng.uniform(1, 10), y + rng.uniform(1, 10)};
      std::copy(box, box + 4, boxes.data<double>() + i);
    }
    const Tensor in = boxes.to(dtype).clone(), there = in.clone(), again = in.clone();
    boxes_forward(cpu_context(), in.view(), frames, there.view());
    boxes_back(cpu_context(), there.view(), frames, ClipBoxes::No, again.view());
    const auto before = in.to(Dtype::F64).to_vector<double>();
    const auto hulls = there.to(Dtype::F64).to_vector<double>();
    const auto after = again.to(Dtype::F64).to_vector<double>();
    const double tolerance = dtype == Dtype::F32 ? 1e-4 : 1e-9;
    double worst = 0, off = 0;
    for (size_t i = 0; i < before.size(); ++i)
      worst = std::max(worst, std::fabs(after[i] - before[i]));
    for (size_t b = 0; b < 150; ++b) {
      const double* box = &before[b * 4];
      const Rect hull = frames[b / 50].map(Rect{box[0], box[1], box[2], box[3]});
      off =
          std::max({off, std::fabs(hull.x0 - hulls[b * 4]), std::fabs(hull.y1 - hulls[b * 4 + 3])});
    }
    INFO(to_string(dtype) << " worst " << worst);
    CHECK(worst <= tolerance);
    CHECK(off <= tolerance);
    // Cut at the source's border, in place.
    Tensor wild = Tensor::full({3, 1, 4}, 0).to(dtype).clone();
    const double far[] = {-500, -500, 900, 900};
    for (int64_t i = 0; i < 12; ++i) {
      if (dtype == Dtype::F32) wild.data<float>()[i] = static_cast<float>(far[i % 4]);
      if (dtype == Dtype::F64) wild.data<double>()[i] = far[i % 4];
    }
    boxes_back(cpu_context(), wild.view(), frames, ClipBoxes::ToSource, wild.view());
    const std::vector<double> cut = wild.to(Dtype::F64).to_vector<double>();
    CHECK(std::vector<double>(cut.begin() + 4, cut.begin() + 8) ==
          std::vector<double>{0, 0, 40, 30});
  }
}

TEST_CASE("map_back: masks in RoI space are reversed where the image was mirrored") {
  const Frame upside = Frame::identity(40, 30).then({2, 0, 0, 0, -1, 30}, 80, 30);
  const std::vector<Frame> frames{flipped_and_padded(), upside, Frame::identity(4, 4)};
  Tensor masks = Tensor::empty({3, 2, 3, 5});
  for (int64_t i = 0; i < 90; ++i) masks.data<float>()[i] = static_cast<float>(i);
  const Tensor out = masks.clone(), again = masks.clone();
  roi_masks_back(cpu_context(), masks.view(), frames, out.view());
  CHECK(out.data<float>()[0] == 4);  // columns of the first image
  CHECK(out.data<float>()[16] == 18);
  CHECK(out.data<float>()[30] == 40);  // lines of the second
  CHECK(out.data<float>()[60] == 60);
  roi_masks_back(cpu_context(), out.view(), frames, again.view());
  CHECK(again.to_vector<float>() == masks.to_vector<float>());
  const std::vector<Frame> turn(3, turned(3, 1));
  REQUIRE_THROWS_WITH(roi_masks_back(cpu_context(), masks.view(), turn, out.view()),
                      contains("[roi_flip]"));
}

TEST_CASE("map_back: class maps come back, exactly where pixels were only moved") {
  const std::vector<Frame> frames{
      flipped_and_padded(), Frame::identity(40, 30).then(Affine::translation(-10, -4), 64, 56)};
  Rng rng(2);
  Tensor original = Tensor::empty({2, 30, 40, 3}), maps = Tensor::full({2, 56, 64, 3}, 99);
  Tensor labels = Tensor::full({2, 56, 64}, 77).to(Dtype::U8).clone(),
         kinds = Tensor::empty({2, 30, 40}, Dtype::U8);
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t y = 0; y < 30; ++y)
      for (int64_t x = 0; x < 40; ++x) {
        const Point p = frames[static_cast<size_t>(b)].map(Point{x + 0.5, y + 0.5});
        const auto u = static_cast<int64_t>(std::floor(p.x)),
                   v = static_cast<int64_t>(std::floor(p.y));
        const bool inside = u >= 0 && v >= 0 && u < 64 && v < 56;
        const auto kind = static_cast<uint8_t>(rng.below(20));
        kinds.data<uint8_t>()[(b * 30 + y) * 40 + x] = kind;
        if (inside) labels.data<uint8_t>()[(b * 56 + v) * 64 + u] = kind;
        for (int64_t k = 0; k < 3; ++k) {
          const float value = rng.uniform_float();
          original.data<float>()[((b * 30 + y) * 40 + x) * 3 + k] = value;
          if (inside) maps.data<float>()[((b * 56 + v) * 64 + u) * 3 + k] = value;
        }
      }
  const Tensor out = Tensor::empty({2, 30, 40, 3}), seen = Tensor::empty({2, 30, 40}, Dtype::U8),
               back = Tensor::empty({2, 30, 40}, Dtype::U8);
  class_maps_back(cpu_context(), maps.view(), frames, out.view(), seen.view());
  label_maps_back(cpu_context(), labels.view(), frames, 255, back.view());
  int wrong = 0;
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t y = 0; y < 30; ++y)
      for (int64_t x = 0; x < 40; ++x) {
        const int64_t i = (b * 30 + y) * 40 + x;
        const bool kept = b == 0 || (x >= 10 && y >= 4);
        wrong += seen.data<uint8_t>()[i] != kept;
        wrong += back.data<uint8_t>()[i] != (kept ? kinds.data<uint8_t>()[i] : 255);
        for (int64_t k = 0; k < 3; ++k)
          wrong += out.data<float>()[i * 3 + k] != (kept ? original.data<float>()[i * 3 + k] : 0);
      }
  CHECK(wrong == 0);
}

TEST_CASE("map_back: a plane survives any map, and padding is never blended in") {
  // Values are a linear function of the source's coordinates; bilinear interpolation is exact
  // there.
  for (const Frame& frame : {turned(20, 1.1), turned(-40, 0.7), turned(0, 1.3)}) {
    Tensor map = Tensor::full({1, 56, 64, 1}, 1e6);
    const Affine back = frame.map.inverse();
    for (int64_t y = 0; y < 56; ++y)
      for (int64_t x = 0; x < 64; ++x) {
        const Point p = back(Point{x + 0.5, y + 0.5});
        if (p.x > -3 && p.y > -3 && p.x < 43 && p.y < 33)
          map.data<float>()[y * 64 + x] = static_cast<float>(0.02 * p.x - 0.01 * p.y);
      }
    const Tensor out = Tensor::empty({1, 30, 40, 1}), seen = Tensor::empty({1, 30, 40}, Dtype::U8);
    class_maps_back(cpu_context(), map.view(), {&frame, 1}, out.view(), seen.view());
    int checked = 0;
    double worst = 0;
    for (int64_t y = 1; y < 29; ++y)
      for (int64_t x = 1; x < 39; ++x) {
        if (!seen.data<uint8_t>()[y * 40 + x]) continue;
        // Beside the canvas's border the last pixel is repeated.
        const Point p = frame.map(Point{x + 0.5, y + 0.5});
        if (p.x < 0.5 || p.y < 0.5 || p.x > 63.5 || p.y > 55.5) continue;
        ++checked;
        worst = std::max(worst, std::fabs(out.data<float>()[y * 40 + x] -
                                          (0.02 * (x + 0.5) - 0.01 * (y + 0.5))));
      }
    CHECK(checked > 700);
    CHECK(worst < 1e-5);
  }
  // An image in the corner of a padded canvas, resized: its last column blends with nothing beyond.
  const Frame padded =
      Frame::identity(40, 30).then(Affine::scaling(1.5, 1.5), 60, 45).then({}, 64, 56);
  Tensor map = Tensor::full({1, 56, 64, 1}, 1e6);
  for (int64_t y = 0; y < 45; ++y) std::fill_n(map.data<float>() + y * 64, 60, 0.25f);
  const Tensor out = Tensor::empty({1, 30, 40, 1}), seen = Tensor::empty({1, 30, 40}, Dtype::U8);
  class_maps_back(cpu_context(), map.view(), {&padded, 1}, out.view(), seen.view());
  for (const float v : out.to_vector<float>()) CHECK(v == 0.25f);
}

TEST_CASE("map_back: masks of the full frame and label maps agree") {
  Rng rng(3);
  std::vector<uint8_t> dense(56 * 64);
  for (size_t i = 0; i < dense.size(); ++i)
    dense[i] = std::hypot(double(i % 64) - 30, double(i / 64) - 25) < 15 || rng.chance(0.05);
  const Rle mask = Rle::encode(dense, 56, 64);
  for (const Frame& frame : {turned(20, 1.1), flipped_and_padded(), turned(0, 0.8)}) {
    Tensor labels = Tensor::empty({1, 56, 64}, Dtype::U8);
    std::ranges::copy(dense, labels.data<uint8_t>());
    const Tensor out = Tensor::empty({1, 30, 40}, Dtype::U8);
    label_maps_back(cpu_context(), labels.view(), {&frame, 1}, 0, out.view());
    CHECK(warp(mask, NearestMap::back(frame)).decode() == out.to_vector<uint8_t>());
  }
}

TEST_CASE("map_back: bad input is an error") {
  const std::vector<Frame> frames(2, Frame::identity(4, 4));
  const Tensor boxes = Tensor::zeros({2, 3, 4}), three = Tensor::zeros({3, 3, 4});
  REQUIRE_THROWS_WITH(boxes_back(cpu_context(), three.view(), frames, ClipBoxes::No, three.view()),
                      contains("one frame per image in boxes_back got 2"));
  REQUIRE_THROWS_WITH(boxes_back(cpu_context(), boxes.view(), frames, ClipBoxes::No, three.view()),
                      contains("[map_back]"));
  const std::vector<Frame> diagonal(2, turned(45, 1));
  REQUIRE_THROWS_WITH(
      boxes_back(cpu_context(), boxes.view(), diagonal, ClipBoxes::No, boxes.view()),
      contains("[box_back]"));
  const Tensor maps = Tensor::zeros({2, 4, 4, 3}), other = Tensor::zeros({2, 4, 5, 3}),
               seen = Tensor::zeros({2, 4, 4}, Dtype::U8);
  REQUIRE_THROWS_WITH(class_maps_back(cpu_context(), maps.view(), frames, maps.view(), seen.view()),
                      contains("share memory"));
  REQUIRE_THROWS_WITH(
      class_maps_back(cpu_context(), other.view(), frames, maps.view(), seen.view()),
      contains("got a frame from height 4"));
  REQUIRE_THROWS_WITH(
      class_maps_back(cpu_context(), other.view(), frames, maps.view(), maps.view()),
      contains("[map_back]"));
  const Tensor labels = Tensor::zeros({2, 4, 4}, Dtype::U8), target = labels.clone();
  REQUIRE_THROWS_WITH(label_maps_back(cpu_context(), labels.view(), frames, 256, target.view()),
                      contains("outside in [0, 255]"));
}
