#include "core/rle.h"

#include "core/nearest_map.h"
#include "core/rng.h"
#include "tests/support/catch.h"

using namespace ditto;
using ditto::testing::contains;

namespace {

// Blobs and stray pixels; empty and full now and then.
std::vector<uint8_t> random_mask(Rng& rng, int height, int width) {
  std::vector<uint8_t> mask(static_cast<size_t>(height * width));
  const uint64_t kind = rng.below(6);
  if (kind == 0) return mask;
  if (kind == 1) mask.assign(mask.size(), 255);
  const double x = rng.uniform(0, width), y = rng.uniform(0, height), r = rng.uniform(1, 8);
  for (int i = 0; i < height; ++i)
    for (int j = 0; j < width; ++j) {
      uint8_t& pixel = mask[static_cast<size_t>(i * width + j)];
      if (kind >= 3 && std::hypot(j - x, i - y) < r) pixel = 1;
      if (kind != 3 && rng.chance(0.1)) pixel ^= 1;
    }
  return mask;
}

std::vector<uint8_t> zero_one(std::vector<uint8_t> mask) {
  for (uint8_t& pixel : mask) pixel = pixel != 0;
  return mask;
}

}  // namespace

TEST_CASE("rle: COCO's counts and strings") {
  // 4 x 3, rows 1 and 2 of column 1 (detection.md 2.7).
  const std::vector<uint8_t> mask{0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0};
  const Rle rle = Rle::encode(mask, 4, 3);
  CHECK(rle.counts == std::vector<uint32_t>{5, 2, 5});
  CHECK(rle.text() == "525");
  CHECK(Rle(4, 3).text() == "<");
  CHECK(Rle::encode(std::vector<uint8_t>(12, 1), 4, 3).text() == "0<");
  CHECK(Rle::parse("525", 4, 3) == rle);
  CHECK(rle.box() == Rect{1, 1, 2, 3});
  CHECK(rle.area() == 2);
  // Counts of more than five bits and differences below zero.
  const Rle big(1000, 1000, {123456, 70000, 5, 1, 300000, 506538});
  CHECK(Rle::parse(big.text(), 1000, 1000) == big);
  CHECK(big.box() == Rect{123, 0, 1000, 1000});
  // Runs without pixels merge.
  CHECK(Rle(4, 3, {2, 0, 3, 1, 0, 1, 5, 0}) == rle);
  CHECK(Rle(4, 3, {0, 0, 12}) == Rle(4, 3));
  CHECK(Rle(0, 5, {}).counts.empty());
  CHECK(Rle(0, 5, {0}) == Rle(0, 5));
}

TEST_CASE("rle: everything equals the same on dense masks") {
  Rng rng(11);
  for (int round = 0; round < 300; ++round) {
    const int h = 1 + static_cast<int>(rng.below(17)), w = 1 + static_cast<int>(rng.below(17));
    const std::vector<uint8_t> dense = zero_one(random_mask(rng, h, w));
    const std::vector<uint8_t> other = zero_one(random_mask(rng, h, w));
    const Rle a = Rle::encode(dense, h, w), b = Rle::encode(other, h, w);
    REQUIRE(a.decode() == dense);
    REQUIRE(Rle::parse(a.text(), h, w) == a);
    REQUIRE(Rle::from_runs(a.runs(), h, w) == a);
    const int shift_x = static_cast<int>(rng.below(9)) - 4, wide = static_cast<int>(rng.below(20));
    const int shift_y = static_cast<int>(rng.below(9)) - 4, high = static_cast<int>(rng.below(20));
    const std::vector<uint8_t> either = (a | b).decode(), both = (a & b).decode(),
                               only = (a - b).decode(), columns = a.flipped_columns().decode(),
                               rows = a.flipped_rows().decode(),
                               window = a.window(shift_x, shift_y, wide, high).decode();
    int64_t area = 0, shared = 0, whole = 0;
    Rect box{1e9, 1e9, -1e9, -1e9};
    bool same = true;
    for (int y = 0; y < h; ++y)
      for (int x = 0; x < w; ++x) {
        const auto at = [&](int row, int column) { return static_cast<size_t>(row * w + column); };
        const bool p = dense[at(y, x)] != 0, q = other[at(y, x)] != 0;
        area += p, shared += p && q, whole += p || q;
        if (p)
          box = {std::min(box.x0, double(x)), std::min(box.y0, double(y)),
                 std::max(box.x1, x + 1.0), std::max(box.y1, y + 1.0)};
        same &= either[at(y, x)] == (p || q) && both[at(y, x)] == (p && q) &&
                only[at(y, x)] == (p && !q) && columns[at(y, w - 1 - x)] == p &&
                rows[at(h - 1 - y, x)] == p;
      }
    for (int y = 0; y < high; ++y)
      for (int x = 0; x < wide; ++x) {
        const int i = y + shift_y, j = x + shift_x;
        const bool p = i >= 0 && j >= 0 && i < h && j < w && dense[static_cast<size_t>(i * w + j)];
        same &= window[static_cast<size_t>(y * wide + x)] == p;
      }
    REQUIRE(same);
    CHECK(a.area() == area);
    CHECK(a.box() == (area > 0 ? box : Rect{}));
    CHECK(intersection_area(a, b) == shared);
    CHECK(iou(a, b) == Approx(whole > 0 ? double(shared) / double(whole) : 0.0).margin(1e-15));
    CHECK(iou(a, b, true) == Approx(area > 0 ? double(shared) / double(area) : 0.0).margin(1e-15));
  }
}

TEST_CASE("rle: a rectangle holds the pixels whose centres it holds") {
  CHECK(Rle::rectangle({1, 2, 3, 4}, 5, 6).box() == Rect{1, 2, 3, 4});
  CHECK(Rle::rectangle({0.5, 0.5, 2.5, 1.5}, 5, 6).box() == Rect{0, 0, 2, 1});
  CHECK(Rle::rectangle({-10, -10, 100, 100}, 5, 6).area() == 30);
  CHECK(Rle::rectangle(kEverywhere, 5, 6).area() == 30);
  CHECK(Rle::rectangle({2, 2, 2, 4}, 5, 6) == Rle(5, 6));
  CHECK(Rle::rectangle({3, 4, 1, 2}, 5, 6) == Rle(5, 6));
}

TEST_CASE("rle: bad input is an error") {
  REQUIRE_THROWS_WITH(Rle(4, 3, {5, 2, 4}), contains("[rle] the counts sum to 11"));
  REQUIRE_THROWS_WITH(Rle(4, 3, {4294967295u, 13}), contains("sum to"));
  REQUIRE_THROWS_WITH(Rle(-1, 3, {}), contains("2^31"));
  REQUIRE_THROWS_WITH(Rle(65536, 65536), contains("2^31"));
  REQUIRE_THROWS_WITH(Rle::encode(std::vector<uint8_t>(11), 4, 3), contains("got 11 bytes"));
  REQUIRE_THROWS_WITH(Rle::parse("52", 4, 3), contains("sum to"));
  REQUIRE_THROWS_WITH(Rle::parse("5 5", 4, 3), contains("bad character"));
  REQUIRE_THROWS_WITH(Rle::parse("5\xff", 4, 3), contains("bad character"));
  REQUIRE_THROWS_WITH(Rle::parse("o", 4, 3), contains("ends inside a count"));
  REQUIRE_THROWS_WITH(Rle::parse("oooooooooo0", 4, 3), contains("more than 32 bits"));
  REQUIRE_THROWS_WITH(Rle::parse("O", 4, 3), contains("out of range"));
  REQUIRE_THROWS_WITH(Rle(4, 3) | Rle(3, 4), contains("different sizes"));
  const std::vector<ColumnRun> backwards{{1, 0, 2}, {0, 0, 1}};
  REQUIRE_THROWS_WITH(Rle::from_runs(backwards, 4, 3), contains("out of order"));
  REQUIRE_THROWS_WITH(Rle::rectangle({0, 0, NAN, 1}, 4, 3), contains("NaN"));
  REQUIRE_THROWS_WITH(warp(Rle(4, 3), NearestMap::of(Frame::identity(4, 3))), contains("[warp]"));
}

TEST_CASE("warp: every pixel shows the mask's pixel that holds its centre's source") {
  Rng rng(12);
  for (int round = 0; round < 400; ++round) {
    const int h = 1 + static_cast<int>(rng.below(20)), w = 1 + static_cast<int>(rng.below(20));
    const std::vector<uint8_t> dense = zero_one(random_mask(rng, h, w));
    const double sign_x = rng.chance(0.5) ? 1 : -1, sign_y = rng.chance(0.5) ? 1 : -1;
    Affine map =
        Affine::translation(-w / 2.0, -h / 2.0)
            .then(Affine::scaling(sign_x * rng.uniform(0.3, 2.5), sign_y * rng.uniform(0.3, 2.5)));
    if (round % 2 == 0) map = map.then(Affine::rotation(rng.uniform(-3, 3)));
    map = map.then(Affine::translation(rng.uniform(0, 20), rng.uniform(0, 20)));
    NearestMap nearest = NearestMap::of(Frame::identity(w, h).then(map, 19, 23));
    if (rng.chance(0.3)) nearest.clip = {rng.uniform(-2, 9), 3, rng.uniform(9, 25), 20};
    if (rng.chance(0.3)) nearest.area = {double(w / 3), 0, double(w), double(h - h / 3)};
    const Rle out = warp(Rle::encode(dense, h, w), nearest);
    REQUIRE(out.width == 19);
    REQUIRE(out.height == 23);
    const std::vector<uint8_t> got = out.decode();
    int wrong = 0;
    for (int y = 0; y < 23; ++y)
      for (int x = 0; x < 19; ++x) {
        const Point p = nearest.inverse(Point{x + 0.5, y + 0.5});
        const auto inside = [](const Rect& r, Point at) {
          return at.x >= r.x0 && at.x < r.x1 && at.y >= r.y0 && at.y < r.y1;
        };
        const bool shown = inside(nearest.clip, {x + 0.5, y + 0.5}) && inside(nearest.area, p) &&
                           inside({0, 0, double(w), double(h)}, p);
        const bool expected =
            shown &&
            dense[static_cast<size_t>(p.y) * static_cast<size_t>(w) + static_cast<size_t>(p.x)];
        const bool on_edge =
            std::fabs(p.x - std::round(p.x)) < 1e-9 || std::fabs(p.y - std::round(p.y)) < 1e-9;
        wrong += !on_edge && expected != (got[static_cast<size_t>(y * 19 + x)] != 0);
      }
    REQUIRE(wrong == 0);
  }
}

TEST_CASE("warp: flips, shifts and their way back are exact") {
  Rng rng(13);
  for (int round = 0; round < 50; ++round) {
    const Rle mask = Rle::encode(random_mask(rng, 15, 12), 15, 12);
    const Frame flip = Frame::identity(12, 15).then({-1, 0, 12, 0, 1, 0}, 12, 15);
    CHECK(warp(mask, NearestMap::of(flip)) == mask.flipped_columns());
    const Frame upside = Frame::identity(12, 15).then({1, 0, 0, 0, -1, 15}, 12, 15);
    CHECK(warp(mask, NearestMap::of(upside)) == mask.flipped_rows());
    const Frame padded = Frame::identity(12, 15).then(Affine::translation(3, 4), 20, 20);
    CHECK(warp(mask, NearestMap::of(padded)) == mask.window(-3, -4, 20, 20));
    CHECK(warp(warp(mask, NearestMap::of(padded)), NearestMap::back(padded)) == mask);
    CHECK(warp(warp(mask, NearestMap::of(flip)), NearestMap::back(flip)) == mask);
    const Frame large = Frame::identity(12, 15).then(Affine::scaling(3, 2), 36, 30);
    CHECK(warp(mask, NearestMap::of(large)).area() == 6 * mask.area());
    CHECK(warp(warp(mask, NearestMap::of(large)), NearestMap::back(large)) == mask);
  }
}

TEST_CASE("rle warp: what is predicted in the padding of a cut image is not of the image") {
  const Frame frame =
      Frame::identity(10, 10).then({1, 0, -4, 0, 1, -4}, 4, 4).then({1, 0, 2, 0, 1, 2}, 8, 8);
  const Rle everything = Rle::rectangle({0, 0, 8, 8}, 8, 8);
  CHECK(warp(everything, NearestMap::back(frame)) == Rle::rectangle({4, 4, 8, 8}, 10, 10));
}
