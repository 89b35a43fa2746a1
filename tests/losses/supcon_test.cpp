#include "losses/supcon.h"

#include <cmath>

#include "autograd/ops.h"
#include "tests/losses/pair_checks.h"

namespace ditto::testing {
namespace {

using losses::NoPositive;
using losses::Reduction;
using losses::supcon;
using losses::SupConForm;

const Tensor kLabels = labels_of(kEmbeddingLabels);

losses::SupConOptions with(double temperature, SupConForm form = SupConForm::Out,
                           losses::PairOptions common = {.normalize = false}) {
  return {.temperature = temperature, .form = form, .common = common};
}

}  // namespace

TEST_CASE("supcon: vectors of the reference sheet", "[losses]") {
  for (Dtype dtype : kFloats) {
    const Tensor z = shared_unit_rows(dtype);
    const auto rows = [&](SupConForm form) {
      return supcon(z, kLabels, with(0.5, form, {.normalize = false, .reduction = Reduction::None}))
          .loss;
    };
    check_values("SupCon", 0, rows(SupConForm::Out));
    check_values("SupCon", 7, rows(SupConForm::In));
    check_vector("SupCon", 2, 5, z,
                 [](const Tensor& x) { return supcon(x, kLabels, with(0.5)).loss; });
    // Through the normalisation, from rows of length 3.
    check_vector("SupCon", 2, 6, shared_norm3(dtype),
                 [](const Tensor& x) { return supcon(x, kLabels, {.temperature = 0.5}).loss; });
    check_values("SupCon", 8, supcon(z, kLabels, with(0.5, SupConForm::In)).loss);
    check_values("SupCon", 9, supcon(z, kLabels, with(0.5, SupConForm::InSum)).loss);
  }
}

TEST_CASE("supcon: anchors without a positive follow the policy, and are counted", "[losses]") {
  for (Dtype dtype : kFloats) {
    const Tensor z = shared_unit_rows(dtype);
    const auto all = [&](double temperature, double scale) {
      return supcon(z, kLabels,
                    with(temperature, SupConForm::Out,
                         {.normalize = false, .no_positive = NoPositive::MeanAll, .scale = scale}));
    };
    check_values("SupCon", 1, all(0.5, 1).loss);
    check_values(
        "SupCon", 3,
        concat({reshape(all(0.1, 1).loss, {1}), reshape(supcon(z, kLabels, with(0.1)).loss, {1})},
               0),
        2e-4);
    // The authors' code multiplies by temperature / base_temperature.
    check_values("SupCon", 4, all(0.1, 0.1 / 0.07).loss, 2e-4);
    CHECK(all(0.5, 1).valid.item() == 5);
    CHECK_THROWS_WITH(
        supcon(z, kLabels, with(0.5, SupConForm::Out, {.no_positive = NoPositive::Error})),
        contains("[supcon]") && contains("1 of 6"));
  }
}

TEST_CASE("supcon: one positive per anchor makes In and Out equal", "[losses]") {
  const Tensor z = shared_unit_rows(Dtype::F64), pairs = labels_of({0, 1, 2, 0, 1, 2});
  CHECK(supcon(z, pairs, with(0.3)).loss.item() ==
        Approx(supcon(z, pairs, with(0.3, SupConForm::In)).loss.item()).epsilon(1e-14));
}

TEST_CASE("supcon: multi-labels are positive where they share one", "[losses]") {
  const Tensor z = shared_unit_rows(Dtype::F64);
  // One hot: the same as plain labels; 70 classes take two words.
  std::vector<double> hot(6 * 70);
  for (size_t i = 0; i < 6; ++i) hot[i * 70 + static_cast<size_t>(kEmbeddingLabels[i]) * 33] = 1;
  const Tensor masks = Tensor::from(hot, {6, 70});
  CHECK(supcon(z, masks).loss.item() == supcon(z, kLabels).loss.item());
  CHECK(supcon(z, masks).valid.item() == 5);
  // A label that all share makes every pair positive.
  for (size_t i = 0; i < 6; ++i) hot[i * 70 + 69] = 1;
  CHECK(supcon(z, Tensor::from(hot, {6, 70})).loss.item() ==
        Approx(supcon(z, labels_of({1, 1, 1, 1, 1, 1})).loss.item()).epsilon(1e-14));
}

TEST_CASE(
    "supcon: rows are shifted by their largest pair (the official code takes the row itself in, "
    "and long features then underflow to NaN)",
    "[losses]") {
  // Rows of length 30 at right angles but for one pair: with itself a row has 900 / 0.07.
  const Tensor z = matrix({{30, 0, 0}, {0, 30, 0}, {0, 0, 30}, {0, 0.5, 30}}, Dtype::F32);
  const auto loss =
      supcon(z, labels_of({0, 1, 0, 1}), with(0.07, SupConForm::Out, {.normalize = false}));
  // Row 0: three pairs of similarity 0. Row 1: 0, 0 and 15 / 0.07 = 214.3, its positive. Rows 2 and
  // 3: 900 / 0.07 with each other, who are negatives.
  const double close = 900 / 0.07, near = 15 / 0.07;
  CHECK(loss.loss.item() == Approx((std::log(3.0) + 0 + close + (close - near)) / 4).epsilon(1e-5));
}

TEST_CASE("supcon: finite for every finite input", "[losses]") {
  for (SupConForm form : {SupConForm::Out, SupConForm::In, SupConForm::InSum})
    check_always_finite([=](const Tensor& z, const Tensor& labels, bool normalize) {
      return supcon(z, labels, with(0.01, form, {.normalize = normalize}));
    });
}

TEST_CASE("supcon: rows longer than a tile and odd sizes equal a direct evaluation", "[losses]") {
  // 2,050 columns of f64: 511 rows to a tile, and lanes that are not full.
  const int64_t n = 2050, d = 3;
  std::vector<double> values(static_cast<size_t>(n * d));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = std::sin(0.7 * static_cast<double>(i * i % 1013));
  std::vector<int64_t> labels(static_cast<size_t>(n));
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int64_t>(i % 7);
  Tensor z = l2_normalize(Tensor::from(values, {n, d})).detach();
  z.set_requires_grad(true);
  const auto result = supcon(z, labels_of(labels), with(0.2));
  result.loss.backward();

  const auto unit = z.detach().to_vector<double>();
  const auto dot = [&](int64_t i, int64_t j) {
    double s = 0;
    for (int64_t c = 0; c < d; ++c) s += unit[size_t(i * d + c)] * unit[size_t(j * d + c)];
    return s / 0.2;
  };
  std::vector<double> lse(labels.size()), positives(labels.size());
  double expected = 0;
  for (int64_t i = 0; i < n; ++i) {
    double sum = 0, pulled = 0;
    for (int64_t j = 0; j < n; ++j) {
      if (j == i) continue;
      sum += std::exp(dot(i, j));
      if (labels[size_t(i)] != labels[size_t(j)]) continue;
      pulled += dot(i, j);
      ++positives[size_t(i)];
    }
    lse[size_t(i)] = std::log(sum);
    expected += lse[size_t(i)] - pulled / positives[size_t(i)];
  }
  CHECK(result.loss.item() == Approx(expected / static_cast<double>(n)).epsilon(1e-12));
  for (int64_t i : {int64_t{0}, int64_t{1000}, n - 1}) {
    double expected_grad = 0;
    for (int64_t j = 0; j < n; ++j) {
      if (j == i) continue;
      const bool same = labels[size_t(i)] == labels[size_t(j)];
      double c = std::exp(dot(i, j) - lse[size_t(i)]) + std::exp(dot(i, j) - lse[size_t(j)]);
      if (same) c -= 1 / positives[size_t(i)] + 1 / positives[size_t(j)];
      expected_grad += c / 0.2 / static_cast<double>(n) * unit[size_t(j * d)];
    }
    CHECK(z.grad().to_vector<double>()[size_t(i * d)] == Approx(expected_grad).epsilon(1e-10));
  }
}

TEST_CASE("supcon: errors name the loss and the values", "[losses]") {
  const Tensor z = shared_unit_rows(Dtype::F32);
  CHECK_THROWS_WITH(supcon(z, labels_of({0, 1})), contains("[supcon]") && contains("6"));
  CHECK_THROWS_WITH(supcon(z, kLabels, {.temperature = 0}), contains("[supcon] temperature"));
  CHECK_THROWS_WITH(supcon(Tensor::zeros({6}), kLabels), contains("[supcon]"));
}

}  // namespace ditto::testing
