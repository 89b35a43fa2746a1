#include "losses/triplet.h"

#include "autograd/ops.h"
#include "autograd/ops/nearest_rows.h"
#include "losses/icnn.h"
#include "tests/losses/pair_checks.h"
#include "tests/support/small_pair_tiles.h"

namespace ditto::testing {
namespace {

using namespace losses;

const PairOptions kAsGiven{.normalize = false};
const Tensor kLabels = labels_of(kPointLabels);

}  // namespace

TEST_CASE("triplet: vectors of the reference sheet", "[losses]") {
  for (Dtype dtype : kFloats) {
    const Tensor x = shared_points(dtype);
    const auto all = [&](bool squared, bool over_active) {
      return triplet_all(
          x, kLabels,
          {.margin = 0.5, .squared = squared, .over_active = over_active, .common = kAsGiven});
    };
    check_vector("Triplet", 0, 5, x, [](const Tensor& z) {
      return triplet_all(z, kLabels, {.margin = 0.5, .common = kAsGiven}).loss;
    });
    check_values("Triplet", 1, all(false, true).loss);
    check_values("Triplet", 2, all(true, false).loss);
    CHECK(all(false, false).valid.item() == 6);
    check_vector("Triplet", 3, 4, x, [](const Tensor& z) {
      return triplet_hard(z, kLabels, {.margin = 0.5, .common = kAsGiven}).loss;
    });
    check_values("Triplet", 6,
                 proto_triplet(slice(x, 0, 0, 4), labels_of({0, 0, 1, 1}), slice(x, 0, 4, 6),
                               labels_of({0, 1}))
                     .loss);
  }
}

TEST_CASE("triplet: all triplets, in several tiles, as three loops find them", "[losses]") {
  // A tile holds 27 rows of 300 distances. Classes of many sizes, in no order.
  const SmallPairTiles tiles(int64_t{64} << 10);
  constexpr int64_t n = 300, d = 3;
  constexpr double margin = 0.3;
  const Tensor z = random_rows(n, d);
  std::vector<int64_t> y;
  for (int64_t i = 0; i < n; ++i) y.push_back(i * i % 97 % 20 + (i == 5 ? 1000 : 0));
  const auto x = z.to_vector<double>();
  const auto distance = [&](int64_t i, int64_t j) {
    double sum = 0;
    for (int64_t c = 0; c < d; ++c) sum += std::pow(x[size_t(i * d + c)] - x[size_t(j * d + c)], 2);
    return std::sqrt(sum);
  };
  double total = 0, count = 0, active = 0;
  std::vector<double> expected(x.size());
  // The gradient of weight * d(i, j).
  const auto pull = [&](int64_t i, int64_t j, double weight, double length) {
    for (int64_t c = 0; c < d; ++c) {
      const double slope = weight * (x[size_t(i * d + c)] - x[size_t(j * d + c)]) / length;
      expected[size_t(i * d + c)] += slope;
      expected[size_t(j * d + c)] -= slope;
    }
  };
  std::vector<double> row(n);
  for (int64_t a = 0; a < n; ++a) {
    for (int64_t j = 0; j < n; ++j) row[size_t(j)] = distance(a, j);
    for (int64_t p = 0; p < n; ++p) {
      if (p == a || y[size_t(p)] != y[size_t(a)]) continue;
      for (int64_t k = 0; k < n; ++k) {
        if (y[size_t(k)] == y[size_t(a)]) continue;
        ++count;
        const double gap = row[size_t(p)] - row[size_t(k)] + margin;
        if (!(gap > 0)) continue;
        ++active;
        total += gap;
        pull(a, p, 1, row[size_t(p)]);
        pull(a, k, -1, row[size_t(k)]);
      }
    }
  }
  for (const bool over_active : {false, true}) {
    Tensor leaf = z.clone();
    leaf.set_requires_grad(true);
    const PairLoss result = triplet_all(
        leaf, labels_of(y), {.margin = margin, .over_active = over_active, .common = kAsGiven});
    const double divisor = over_active ? active : count;
    CHECK(result.loss.item() == Approx(total / divisor).epsilon(1e-12));
    CHECK(result.valid.item() == n - std::count_if(y.begin(), y.end(), [&](int64_t label) {
                                   return std::count(y.begin(), y.end(), label) == 1;
                                 }));
    result.loss.backward();
    const auto gradient = leaf.grad().to_vector<double>();
    double largest = 0, error = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      largest = std::max(largest, std::fabs(gradient[i]));
      error = std::max(error, std::fabs(gradient[i] - expected[i] / divisor));
    }
    CHECK(error < 1e-11 * largest);
  }
}

TEST_CASE("triplet: a row that is NaN makes the loss NaN", "[losses]") {
  for (Dtype dtype : kFloats) {
    Tensor z = matrix({{1, 0}, {NAN, 0}, {1, 2}, {0, 1}}, dtype);
    z.set_requires_grad(true);
    const PairLoss all = triplet_all(z, labels_of({0, 0, 1, 1}), {.common = kAsGiven});
    CHECK(std::isnan(all.loss.item()));
    all.loss.backward();
    for (double g : z.grad().to_vector<double>()) CHECK(std::isnan(g));
  }
}

TEST_CASE("triplet: points that coincide have no gradient instead of infinity", "[losses]") {
  for (Dtype dtype : kFloats) {
    Tensor z = matrix({{1, 0}, {1, 0}, {1, 0}, {0, 1}}, dtype), y = labels_of({0, 0, 1, 1});
    z.set_requires_grad(true);
    const PairLoss hard = triplet_hard(z, y, {.margin = 0.5, .common = kAsGiven});
    CHECK(hard.valid.item() == 4);
    hard.loss.backward();
    triplet_all(z, y, {.margin = 0.5, .common = kAsGiven}).loss.backward();
    for (double g : z.grad().to_vector<double>()) CHECK(std::isfinite(g));
  }
}

TEST_CASE("triplet: anchors without positive or negative add nothing; errors", "[losses]") {
  const Tensor x = shared_points(Dtype::F64);
  CHECK(triplet_hard(x, labels_of({0, 0, 0, 0, 0, 0})).valid.item() == 0);
  CHECK(triplet_hard(x, labels_of({0, 1, 2, 3, 4, 5})).loss.item() == 0);
  CHECK(triplet_all(x, labels_of({0, 0, 0, 0, 0, 0})).loss.item() == 0);
  CHECK(triplet_all(x, labels_of({0, 0, 1, 2, 3, 4})).valid.item() == 2);
  CHECK_THROWS_WITH(
      triplet_all(x, labels_of({0, 0, 1, 2, 3, 4}), {.common = {.no_positive = NoPositive::Error}}),
      contains("[triplet_all]") && contains("4 of 6"));
  // A query whose class has no support is not valid.
  CHECK(proto_triplet(x, kLabels, x, labels_of({0, 0, 1, 1, 0, 9})).valid.item() == 5);
}

TEST_CASE("triplet: finite for every finite input", "[losses]") {
  for (bool squared : {false, true}) {
    check_always_finite([=](const Tensor& z, const Tensor& labels, bool normalize) {
      return triplet_hard(z, labels, {.squared = squared, .common = {.normalize = normalize}});
    });
    check_always_finite([=](const Tensor& z, const Tensor& labels, bool normalize) {
      return triplet_all(z, labels, {.squared = squared, .common = {.normalize = normalize}});
    });
  }
}

TEST_CASE("nearest_rows: nearest first, ties by number, never the row itself", "[losses]") {
  const Tensor x = matrix({{0, 0}, {1, 0}, {1, 0}, {3, 0}, {0, 0}}, Dtype::F32);
  CHECK(nearest_rows(x, 3).to_vector<int64_t>() ==
        std::vector<int64_t>{4, 1, 2, 2, 0, 4, 1, 0, 4, 1, 2, 0, 0, 1, 2});
  CHECK_THROWS_WITH(nearest_rows(x, 5), contains("[nearest_rows]"));
  // Neighbours are constants of the gradient.
  Tensor leaf = x.detach();
  leaf.set_requires_grad(true);
  CHECK_FALSE(nearest_rows(leaf, 2).requires_grad());
}

TEST_CASE("icnn: vectors of the reference sheet", "[losses]") {
  for (Dtype dtype : kFloats) {
    const Tensor x = shared_points(dtype);
    const auto parts = [&](int64_t k) {
      const IcnnScore score = icnn(x, kLabels, {.k = k});
      return concat({reshape(score.same, {1}), reshape(score.different, {1}),
                     Tensor::full({1}, score.gamma, dtype)},
                    0);
    };
    check_values("ICNN", 0, parts(4));
    check_values("ICNN", 1, exp(-icnn(x, kLabels).loss));
    check_vector("ICNN", 2, 3, x, [](const Tensor& z) { return icnn(z, kLabels).loss; });
    check_values("ICNN", 4, parts(2));
    check_values("ICNN", 5, icnn(x, kLabels, {.k = 2}).loss);
  }
}

TEST_CASE("icnn: finite for every finite input", "[losses]") {
  check_always_finite([](const Tensor& z, const Tensor& labels, bool normalize) {
    return PairLoss{icnn(z, labels, {.k = 3, .normalize = normalize}).loss,
                    Tensor::scalar(0, z.dtype())};
  });
}

}  // namespace ditto::testing
