#include "kernels/pairing.h"

#include <cmath>

#include "core/rng.h"
#include "core/tensor.h"
#include "tests/support/catch.h"

using namespace ditto;
using namespace ditto::kernels;
using ditto::testing::contains;

namespace {

using Boxes = std::vector<std::vector<double>>;

Tensor tensor_of(const Boxes& boxes) {
  Tensor out = Tensor::empty({1, static_cast<int64_t>(boxes.size()), 4});
  float* to = out.data<float>();
  for (const auto& box : boxes)
    for (const double v : box) *to++ = static_cast<float>(v);
  return out;
}

std::vector<int32_t> pair_up(const Boxes& a, const Boxes& b, const PairingOptions& options = {}) {
  const Tensor x = tensor_of(a), y = tensor_of(b);
  const Tensor match = Tensor::empty({1, x.dim(1)}, Dtype::I32);
  PairingBoxes from, to;
  from.boxes = x.view(), to.boxes = y.view();
  pair_boxes(cpu_context(), from, to, options, match.view());
  return match.to_vector<int32_t>();
}

// The replicas of one image, padded to the longest.
struct Aligned {
  std::vector<std::vector<int32_t>> cluster;
  int32_t clusters = 0;
};
Aligned align(const std::vector<Boxes>& replicas, const PairingOptions& options = {},
              const Boxes& visible = {}) {
  const auto m = static_cast<int64_t>(replicas.size());
  int64_t n = 0;
  for (const Boxes& boxes : replicas) n = std::max(n, static_cast<int64_t>(boxes.size()));
  const Tensor all = Tensor::full({m, n, 4}, NAN), counts = Tensor::empty({m}, Dtype::I32);
  for (int64_t k = 0; k < m; ++k) {
    const Boxes& boxes = replicas[static_cast<size_t>(k)];
    counts.data<int32_t>()[k] = static_cast<int32_t>(boxes.size());
    for (size_t i = 0; i < boxes.size(); ++i)
      for (size_t c = 0; c < 4; ++c)
        all.data<float>()[(k * n + static_cast<int64_t>(i)) * 4 + static_cast<int64_t>(c)] =
            static_cast<float>(boxes[i][c]);
  }
  const Tensor limits = visible.empty() ? Tensor() : tensor_of(visible);
  PairingBoxes from;
  from.boxes = all.view(), from.counts = counts.view();
  if (limits.defined()) {
    from.visible = limits.view();
    from.visible.shape = {m, 4}, from.visible.strides = {4, 1};
  }
  const Tensor cluster = Tensor::empty({m, n}, Dtype::I32), number = Tensor::empty({1}, Dtype::I32);
  align_star(cpu_context(), from, m, options, cluster.view(), number.view());
  Aligned out;
  out.clusters = number.data<int32_t>()[0];
  for (int64_t k = 0; k < m; ++k) {
    const int32_t* row = cluster.data<int32_t>() + k * n;
    const auto used = static_cast<int64_t>(replicas[static_cast<size_t>(k)].size());
    out.cluster.emplace_back(row, row + used);
    for (int64_t i = used; i < n; ++i) CHECK(row[i] == -1);
  }
  return out;
}

using Indices = std::vector<int32_t>;

}  // namespace

TEST_CASE("pairing: the worked case of detection.md 3.6") {
  // s = .8182, .8, 0 / 0, 0, .8182.
  const Boxes a{{0, 0, 10, 10}, {20, 0, 30, 10}};
  const Boxes b{{1, 0, 11, 10}, {0, 0, 10, 8}, {21, 0, 31, 10}};
  CHECK(pair_up(a, b) == Indices{0, 2});
  CHECK(pair_up(b, a) == Indices{0, -1, 1});
  CHECK(pair_up(a, b, {.threshold = 0.81}) == Indices{0, 2});
  CHECK(pair_up(a, b, {.threshold = 0.82}) == Indices{-1, -1});
  // Without the better box the second best is taken.
  CHECK(pair_up({a[0]}, {b[1]}, {.threshold = 0.79}) == Indices{0});
  const Aligned star = align({a, b});
  CHECK(star.cluster == std::vector<Indices>{{0, 1}, {0, 2, 1}});
  CHECK(star.clusters == 3);
}

TEST_CASE("pairing: empty sides, equal ranks, the threshold itself") {
  CHECK(pair_up({}, {{0, 0, 1, 1}}).empty());
  CHECK(pair_up({{0, 0, 1, 1}}, {}) == Indices{-1});
  CHECK(align({{}, {}}).clusters == 0);
  CHECK(align({{}, {{0, 0, 1, 1}}, {}, {{0, 0, 1, 1}}}).clusters == 1);
  // All equal: in order of indices, one to one.
  const Boxes same(3, {2, 2, 6, 6});
  CHECK(pair_up(same, same) == Indices{0, 1, 2});
  CHECK(pair_up(Boxes(4, {2, 2, 6, 6}), same) == Indices{0, 1, 2, -1});
  CHECK(align({same, same, same}).clusters == 3);
  // IoU of exactly one half is enough.
  CHECK(pair_up({{0, 0, 10, 10}}, {{0, 0, 10, 5}}) == Indices{0});
  CHECK(pair_up({{0, 0, 10, 10}}, {{0, 0, 10, 4.999}}) == Indices{-1});
  // A box may lose its best partner to a better pair and get its second best.
  const Boxes left{{0, 0, 10, 10}, {1, 0, 11, 10}}, right{{1, 0, 11, 10}, {3, 0, 13, 10}};
  CHECK(pair_up(left, right, {.threshold = 0.3}) == Indices{1, 0});
  // Boxes that are none.
  CHECK(pair_up({{5, 5, 5, 9}, {NAN, 0, 1, 1}, {9, 9, 3, 3}, {0, 0, INFINITY, 1}},
                {{5, 5, 5, 9}, {NAN, 0, 1, 1}, {9, 9, 3, 3}, {0, 0, INFINITY, 1}}) ==
        Indices{-1, -1, -1, -1});
}

TEST_CASE("pairing: star alignment where pairs are not transitive") {
  // a ~ b and b ~ c, not a ~ c (IoU 0.5385, 0.5385, 0.25).
  const Boxes a{{0, 0, 10, 10}}, b{{3, 0, 13, 10}}, c{{6, 0, 16, 10}};
  CHECK(pair_up(a, b) == Indices{0});
  CHECK(pair_up(b, c) == Indices{0});
  CHECK(pair_up(a, c) == Indices{-1});
  // The mean of a and b, [1.5, 11.5], has IoU 0.379 with c: c opens a cluster; at a lower threshold
  // all three are one.
  CHECK(align({a, b, c}).cluster == std::vector<Indices>{{0}, {0}, {1}});
  CHECK(align({a, b, c}, {.threshold = 0.35}).clusters == 1);
  // The order of replicas decides: from the middle outwards, a joins c's cluster no more.
  CHECK(align({b, a, c}).cluster == std::vector<Indices>{{0}, {0}, {1}});
  CHECK(align({a, c, b}).cluster == std::vector<Indices>{{0}, {1}, {0}});  // equal: first cluster
  // One box of a replica in a cluster at most, and a new cluster is found by later replicas.
  const Boxes two{{0, 0, 10, 10}, {0, 0, 10, 9.9}}, far{{50, 50, 60, 60}};
  const Aligned out = align({a, two, {a[0], far[0]}, far});
  CHECK(out.cluster == std::vector<Indices>{{0}, {0, 1}, {0, 2}, {2}});
}

TEST_CASE("pairing: compared inside what both replicas show") {
  // The second replica shows the left half alone and finds half of the object.
  const Boxes whole{{2, 0, 18, 10}}, half{{2, 0, 10, 10}};
  CHECK(align({whole, half}, {.threshold = 0.6}).clusters == 2);
  const Boxes windows{{0, 0, 20, 10}, {0, 0, 10, 10}};
  CHECK(align({whole, half}, {.threshold = 0.6}, windows).clusters == 1);
  // Windows without a common part pair nothing.
  CHECK(align({whole, whole}, {}, {{0, 0, 5, 10}, {6, 0, 20, 10}}).clusters == 2);
}

TEST_CASE("pairing: Eq. 5 by annotation, classes and the area ratio") {
  // The nearest prediction of each annotation; one too far from all of them stands for an object
  // that the augmentation removed.
  const Boxes annotations{{0, 0, 10, 10}, {30, 0, 40, 10}, {80, 80, 90, 90}};
  const Boxes predictions{{31, 0, 41, 10}, {2, 1, 12, 11}, {0, 0, 10.5, 10}};
  const PairingOptions distance{.similarity = Similarity::Distance, .threshold = 0.5};
  CHECK(pair_up(annotations, predictions, distance) == Indices{2, 0, -1});
  CHECK(pair_up(annotations, predictions) == Indices{2, 0, -1});
  CHECK(pair_up({annotations[0]}, {{5, 0, 15, 10}}, distance) == Indices{0});  // distance 0.5
  CHECK(pair_up({annotations[0]}, {{5.01, 0, 15, 10}}, distance) == Indices{-1});

  const Tensor boxes = tensor_of({{0, 0, 10, 10}, {0, 0, 10, 9}}),
               match = Tensor::empty({1, 2}, Dtype::I32);
  const Tensor labels_a = Tensor::empty({1, 2}, Dtype::I64), labels_b = labels_a.clone();
  labels_a.data<int64_t>()[0] = 1, labels_a.data<int64_t>()[1] = 2;
  labels_b.data<int64_t>()[0] = 2, labels_b.data<int64_t>()[1] = 3;
  PairingBoxes a, b;
  a.boxes = b.boxes = boxes.view();
  a.labels = labels_a.view(), b.labels = labels_b.view();
  pair_boxes(cpu_context(), a, b, {.same_label = true}, match.view());
  CHECK(match.to_vector<int32_t>() == Indices{-1, 0});

  const Boxes large{{0, 0, 10, 10}}, more{{0, 0, 10, 10}, {50, 50, 60, 60}};
  CHECK(pair_up(large, more, {.min_area_ratio = 0.5}) == Indices{0});
  CHECK(pair_up(large, more, {.min_area_ratio = 0.51}) == Indices{-1});
  CHECK(align({large, more, large}, {.min_area_ratio = 0.51}).cluster ==
        std::vector<Indices>{{0}, {1, 2}, {0}});
}

TEST_CASE("pairing: star alignment of two replicas is the greedy pairing, whatever the boxes") {
  Rng rng(4);
  for (int round = 0; round < 200; ++round) {
    const auto some = [&](uint64_t most) {
      Boxes out;
      for (uint64_t i = rng.below(most); i > 0; --i) {
        const double x = static_cast<double>(rng.below(8)), y = static_cast<double>(rng.below(8));
        out.push_back({x, y, x + 4 + static_cast<double>(rng.below(4)),
                       y + 4 + static_cast<double>(rng.below(4))});
      }
      return out;
    };
    const Boxes a = some(12), b = some(12);
    const PairingOptions options{.threshold = rng.uniform(0.05, 0.7)};
    const Indices match = pair_up(a, b, options);
    const Aligned star = align({a, b}, options);
    int32_t pairs = 0;
    for (size_t i = 0; i < match.size(); ++i) {
      REQUIRE(star.cluster[0][i] == static_cast<int32_t>(i));
      if (match[i] < 0) continue;
      ++pairs;
      REQUIRE(star.cluster[1][static_cast<size_t>(match[i])] == static_cast<int32_t>(i));
    }
    CHECK(star.clusters == static_cast<int32_t>(a.size() + b.size()) - pairs);
    // Greedy: no free pair is left above the threshold, and pairing is one to one.
    std::vector<int> taken(b.size());
    for (const int32_t j : match)
      if (j >= 0) CHECK(++taken[static_cast<size_t>(j)] == 1);
    for (size_t i = 0; i < a.size(); ++i)
      for (size_t j = 0; j < b.size(); ++j)
        if (match[i] < 0 && taken[j] == 0) CHECK(pair_up({a[i]}, {b[j]}, options) == Indices{-1});
  }
}

TEST_CASE("pairing: bad input is an error") {
  const Boxes box{{0, 0, 1, 1}};
  REQUIRE_THROWS_WITH(pair_up(box, box, {.threshold = 0}), contains("[pairing] threshold"));
  REQUIRE_THROWS_WITH(pair_up(box, box, {.threshold = 1.5}), contains("threshold"));
  REQUIRE_THROWS_WITH(pair_up(box, box, {.threshold = NAN}), contains("threshold"));
  REQUIRE_THROWS_WITH(pair_up(box, box, {.same_label = true}), contains("needs labels"));
  REQUIRE_THROWS_WITH(pair_up(box, box, {.min_area_ratio = 2}), contains("min_area_ratio"));
  const Tensor boxes = Tensor::zeros({3, 2, 4}), i32 = Tensor::zeros({3, 2}, Dtype::I32);
  PairingBoxes from;
  from.boxes = boxes.view();
  REQUIRE_THROWS_WITH(align_star(cpu_context(), from, 2, {}, i32.view(), i32.view()),
                      contains("replicas m = 2"));
  REQUIRE_THROWS_WITH(align_star(cpu_context(), from, 3, {}, i32.view(), i32.view()),
                      contains("clusters (B)"));
  from.counts = i32.view();
  REQUIRE_THROWS_WITH(pair_boxes(cpu_context(), from, from, {}, i32.view()), contains("counts"));
  from.boxes = i32.view();
  REQUIRE_THROWS_WITH(pair_boxes(cpu_context(), from, from, {}, i32.view()), contains("(B, N, 4)"));
}
