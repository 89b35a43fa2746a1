// Properties of random chains of up to six transforms, over random images, boxes, masks and points.
#include <cstring>
#include <thread>

#include "core/box_map.h"
#include "data/instances.h"
#include "data/mix.h"
#include "tests/data/random_chain.h"
#include "tests/support/catch.h"

using namespace ditto;
using namespace ditto::data;
using namespace ditto::testing;

namespace {

constexpr uint64_t kRounds = 400;

// The largest factor by which the inverse magnifies a distance.
double magnification(const Affine& map) {
  const Affine back = map.inverse();
  const double sum = back.a * back.a + back.b * back.b + back.d * back.d + back.e * back.e;
  const double det = std::fabs(back.determinant());
  return std::sqrt(0.5 * (sum + std::sqrt(std::max(0.0, sum * sum - 4 * det * det))));
}

double distance(Point a, Point b) { return std::max(std::fabs(a.x - b.x), std::fabs(a.y - b.y)); }
double distance(const Rect& a, const Rect& b) {
  return std::max(distance(Point{a.x0, a.y0}, Point{b.x0, b.y0}),
                  distance(Point{a.x1, a.y1}, Point{b.x1, b.y1}));
}
Rect to_float(const Rect& r) {
  return {static_cast<float>(r.x0), static_cast<float>(r.y0), static_cast<float>(r.x1),
          static_cast<float>(r.y1)};
}
Point to_float(Point p) { return {static_cast<float>(p.x), static_cast<float>(p.y)}; }

// What is left of the whole image after the way there and back.
Rle kept_area(const Transform& t, const ImageInfo& info) {
  const Rle all = Rle::rectangle(kEverywhere, info.height, info.width);
  return warp(warp(all, t.nearest()), NearestMap::back(t.frame()));
}

}  // namespace

TEST_CASE("property: points come back to 1e-9 in double and 1e-4 px in float") {
  for (const Chain kind : {Chain::Lossless, Chain::Upright, Chain::Any})
    for (uint64_t seed = 0; seed < kRounds; ++seed) {
      Rng rng(seed);
      const ImageInfo info = random_info(rng);
      const Transform t = random_chain(rng, kind)->draw(rng, info);
      const Frame back = t.frame().inverse();
      // A distance on the canvas may be larger on the image; both bounds are of the larger.
      const double grows = std::max(1.0, magnification(t.frame().map));
      for (int i = 0; i < 20; ++i) {
        const Point p{rng.uniform(0, info.width), rng.uniform(0, info.height)};
        const Point there = t.apply(p);
        REQUIRE(distance(back.map(there), p) < 1e-9);
        REQUIRE(distance(to_float(back.map(to_float(there))), p) < 1e-4 * grows);
      }
    }
}

TEST_CASE("property: boxes come back through the hull formula") {
  int turned = 0;
  for (uint64_t seed = 0; seed < 2 * kRounds; ++seed) {
    Rng rng(seed, Purpose::User, 1);
    const ImageInfo info = random_info(rng);
    const Transform t = random_chain(rng, Chain::Any)->draw(rng, info);
    const Affine& map = t.frame().map;
    const double condition = hull_condition(map);
    if (condition > 20) continue;  // close to 45 degrees after all
    turned += map.b != 0;
    for (int i = 0; i < 10; ++i) {
      const double x = rng.uniform(0, 20), y = rng.uniform(0, 20);
      const Rect box{x, y, x + rng.uniform(1, 9), y + rng.uniform(1, 9)};
      const Rect hull = t.apply(box);
      const double grows = std::max(1.0, magnification(map)) * condition;
      REQUIRE(distance(box_back(map, hull), box) < 1e-9 * grows);
      REQUIRE(distance(t.inverse().apply(hull), box) < 1e-9 * grows);
      REQUIRE(distance(to_float(box_back(map, to_float(hull))), box) < 1e-4 * grows);
      // The hull holds every point of the box.
      for (int k = 0; k < 5; ++k) {
        const Point p = t.apply(Point{rng.uniform(box.x0, box.x1), rng.uniform(box.y0, box.y1)});
        REQUIRE((p.x > hull.x0 - 1e-9 && p.x < hull.x1 + 1e-9 && p.y > hull.y0 - 1e-9 &&
                 p.y < hull.y1 + 1e-9));
      }
    }
  }
  CHECK(turned > 200);
}

TEST_CASE("property: masks of lossless chains come back bit for bit in the kept area") {
  int compared = 0;
  for (uint64_t seed = 0; seed < kRounds; ++seed) {
    Rng rng(seed, Purpose::User, 2);
    const ImageInfo info = random_info(rng);
    const Transform t = random_chain(rng, Chain::Lossless)->draw(rng, info);
    const Rle mask = random_blob(rng, info), kept = kept_area(t, info);
    const Rle again = warp(warp(mask, t.nearest()), NearestMap::back(t.frame()));
    REQUIRE(again == (mask & kept));
    if (again.empty()) continue;
    ++compared;
    REQUIRE(iou(again, mask & kept) == 1);  // more than 0.99
    if (!t.lost().cut) REQUIRE(again == mask);
  }
  CHECK(compared > 300);
}

TEST_CASE("property: resampled masks differ within a stated distance of their border") {
  // A canvas pixel shows the source of its centre, at most sqrt(1/2) px away, so a source pixel
  // comes back as the one at most sqrt(1/2) x magnification px away from its centre.
  int compared = 0, changed = 0;
  double worst_iou = 1;
  for (uint64_t seed = 0; seed < kRounds; ++seed) {
    Rng rng(seed, Purpose::User, 3);
    const ImageInfo info = random_info(rng);
    const Transform t =
        random_chain(rng, seed % 2 == 0 ? Chain::Upright : Chain::Any)->draw(rng, info);
    const Rle mask = random_blob(rng, info), kept = kept_area(t, info);
    const Rle again = warp(warp(mask, t.nearest()), NearestMap::back(t.frame()));
    const double reach = std::sqrt(0.5) * magnification(t.frame().map) + 1e-9;
    const Rle expected = mask & kept;
    if (expected.area() < 50) continue;
    ++compared;
    const std::vector<uint8_t> before = mask.decode(), after = again.decode(), seen = kept.decode();
    const auto near = [&](int x, int y, uint8_t value) {
      const int r = static_cast<int>(reach + 0.5) + 1;
      for (int j = std::max(0, y - r); j < std::min(info.height, y + r + 1); ++j)
        for (int i = std::max(0, x - r); i < std::min(info.width, x + r + 1); ++i) {
          // The distance from the centre of (x, y) to the nearest point of pixel (i, j).
          const double dx = std::max(0.0, std::abs(i - x) - 0.5);
          const double dy = std::max(0.0, std::abs(j - y) - 0.5);
          if (std::hypot(dx, dy) <= reach &&
              before[static_cast<size_t>(j * info.width + i)] == value)
            return true;
        }
      return false;
    };
    int wrong = 0;
    for (int y = 0; y < info.height; ++y)
      for (int x = 0; x < info.width; ++x) {
        const auto at = static_cast<size_t>(y * info.width + x);
        if (seen[at] == 0 || before[at] == after[at]) continue;
        ++changed;
        wrong += !near(x, y, after[at]);
      }
    INFO("seed " << seed << ", lost: " << to_string(t.lost()));
    REQUIRE(wrong == 0);
    // Magnified by both axes, nothing changes at all; otherwise the border moves by half a pixel of
    // the canvas at most.
    const Affine& m = t.frame().map;
    if (m.b == 0 && m.d == 0 && std::fabs(m.a) > 1 && std::fabs(m.e) > 1)
      REQUIRE((again & kept) == expected);
    if (magnification(m) <= 1.25) worst_iou = std::min(worst_iou, iou(again & kept, expected));
  }
  CHECK(compared > 250);
  CHECK(changed > 100);
  CHECK(worst_iou > 0.8);  // blobs of 12 to 28 px across, where the canvas is not smaller than 4/5
}

TEST_CASE("property: one resampling equals the whole-pixel steps in turn, on masks too") {
  for (uint64_t seed = 0; seed < kRounds; ++seed) {
    Rng rng(seed, Purpose::User, 4);
    const ImageInfo info = random_info(rng);
    Rle step = random_blob(rng, info);
    const Rle mask = step;
    Transform all(info);
    for (int i = 0; i < 6; ++i) {
      const Transform next = random_policy(rng, Chain::Lossless)->draw(rng, all.canvas());
      step = warp(step, next.nearest());
      all.append(next);
    }
    REQUIRE(warp(mask, all.nearest()) == step);
  }
}

TEST_CASE("property: instances keep ids and labels, boxes are those of the masks") {
  int ignored = 0, survived = 0, gone = 0;
  for (uint64_t seed = 0; seed < kRounds; ++seed) {
    Rng rng(seed, Purpose::User, 5);
    const ImageInfo info = random_info(rng);
    Instances before;
    for (int64_t i = 0; i < 4; ++i) {
      before.masks.push_back(random_blob(rng, info));
      before.boxes.push_back(before.masks.back().box());
      before.labels.push_back(10 + i);
      before.ids.push_back({static_cast<int64_t>(seed), i});
      before.ignore.push_back(i == 3);
    }
    const Transform t = random_chain(rng, Chain::Any)->draw(rng, info);
    const Instances after = transform_instances(t, before);
    check_instances(after, t.frame().width, t.frame().height);
    gone += static_cast<int>(4 - after.size());
    int64_t last = -1;
    for (size_t i = 0; i < after.size(); ++i) {
      const int64_t id = after.ids[i].annotation;
      REQUIRE(id > last);
      last = id;
      REQUIRE(after.labels[i] == 10 + id);
      REQUIRE(after.boxes[i] == after.masks[i].box());
      REQUIRE((after.visibility[i] > 0 && after.visibility[i] <= 1));
      if (id == 3) REQUIRE(after.ignore[i] == 1);
      if (after.ignore[i] == 0)
        REQUIRE((after.visibility[i] >= 0.25 && after.masks[i].area() >= 16));
      ignored += after.ignore[i] == 1 && id != 3;
      survived += after.ignore[i] == 0;
      // The hull of the box holds what is seen, to a pixel.
      const Rect hull = t.apply(before.boxes[static_cast<size_t>(id)]);
      REQUIRE((after.boxes[i].x0 > hull.x0 - 1 && after.boxes[i].x1 < hull.x1 + 1));
      REQUIRE((after.boxes[i].y0 > hull.y0 - 1 && after.boxes[i].y1 < hull.y1 + 1));
    }
  }
  CHECK((ignored > 20 && survived > 500 && gone > 20));
}

TEST_CASE("property: labels of mixed images sum to 1") {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed, Purpose::Mix);
    const int64_t batch = 2 + static_cast<int64_t>(rng.below(20)), classes = 7;
    std::vector<int64_t> groups;
    const Tensor labels = Tensor::empty({batch}, Dtype::I64);
    for (int64_t i = 0; i < batch; ++i) {
      groups.push_back(i / 2);
      labels.data<int64_t>()[i] = static_cast<int64_t>(rng.below(7));
    }
    const MixOptions options{.cutmix_alpha = rng.uniform(0, 2),
                             .mixup_alpha = rng.uniform(0, 2),
                             .probability = rng.uniform(),
                             .mode = seed % 2 == 0 ? MixMode::PerGroup : MixMode::PerReplica};
    const auto rows = draw_mix(options, rng, groups, 32, 24);
    const Tensor targets = Tensor::empty({batch, classes});
    kernels::mix_labels(cpu_context(), labels.view(), rows, targets.view());
    for (int64_t i = 0; i < batch; ++i) {
      double sum = 0;
      for (int64_t c = 0; c < classes; ++c) {
        const double value = targets.data<float>()[i * classes + c];
        REQUIRE((value >= 0 && value <= 1));
        sum += value;
      }
      REQUIRE(sum == Approx(1).margin(1e-6));
    }
  }
}

TEST_CASE("property: a replica depends on seed, epoch, sample and replica alone") {
  // The same 24 replicas drawn and applied in order, backwards, and by 1, 2 and 8 threads.
  Rng setup(7);
  const ImageInfo info = random_info(setup);
  const Tensor image = random_pixels(setup, info);
  std::vector<std::shared_ptr<const Augment>> parts;
  for (int i = 0; i < 5; ++i) parts.push_back(random_policy(setup, Chain::Any));
  parts.push_back(std::make_shared<Resize>(32, 32));
  const Compose policy(parts);
  const auto make = [&](int64_t i) {
    const auto n = static_cast<uint64_t>(i);
    Rng rng(99, Purpose::Augment, n / 6, (n / 3) % 2, n % 3);
    return policy.draw(rng, info).apply(image);
  };
  std::vector<Tensor> expected;
  for (int64_t i = 0; i < 24; ++i) expected.push_back(make(i));
  const auto same = [&](const Tensor& a, int64_t i) {
    const Tensor& b = expected[static_cast<size_t>(i)];
    return std::memcmp(a.data<float>(), b.data<float>(),
                       static_cast<size_t>(a.numel()) * sizeof(float)) == 0;
  };
  for (int64_t i = 23; i >= 0; --i) REQUIRE(same(make(i), i));
  for (const int64_t threads : {1, 2, 8}) {
    std::vector<Tensor> got(24);
    std::vector<std::thread> pool;
    for (int64_t w = 0; w < threads; ++w)
      pool.emplace_back([&, w] {
        for (int64_t i = w; i < 24; i += threads) got[static_cast<size_t>(i)] = make(i);
      });
    for (std::thread& thread : pool) thread.join();
    for (int64_t i = 0; i < 24; ++i) REQUIRE(same(got[static_cast<size_t>(i)], i));
  }
  // And they are not all the same.
  int different = 0;
  for (int64_t i = 1; i < 24; ++i) different += !same(expected[0], i);
  CHECK(different > 15);
}
