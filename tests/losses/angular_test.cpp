#include "losses/angular.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops.h"
#include "losses/cross_entropy.h"
#include "losses/loss_transform.h"
#include "losses/unpg.h"
#include "tests/support/catch.h"
#include "tests/support/loss_vectors.h"

namespace ditto {
using namespace losses;

namespace {

Tensor labels() { return testing::labels_of({0, 1, 2, 0}); }

// Checks loss(cosines) and its gradients by features and by class weights; a negative index skips.
void check_angular(int loss, int by_features, int by_weights,
                   const std::function<Tensor(const Tensor&)>& f, double f32_tolerance = 1e-5) {
  for (Dtype dtype : {Dtype::F64, Dtype::F32}) {
    const Tensor x = testing::shared_features(dtype), w = testing::shared_weights(dtype);
    testing::check_vector(
        "Angular", loss, by_features, x, [&](const Tensor& v) { return f(class_cosines(v, w)); },
        f32_tolerance);
    testing::check_vector(
        "Angular", loss, by_weights, w, [&](const Tensor& v) { return f(class_cosines(x, v)); },
        f32_tolerance);
  }
}

Tensor margins_of(const std::vector<double>& values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())});
}

}  // namespace

TEST_CASE("angular losses: vectors of the reference sheet", "[losses]") {
  for (Dtype dtype : {Dtype::F64, Dtype::F32})
    testing::check_values(
        "Angular", 0,
        class_cosines(testing::shared_features(dtype), testing::shared_weights(dtype)));
  check_angular(1, 2, -1,
                [](const Tensor& c) { return normalized_softmax(c, labels(), {.scale = 16}); });
  check_angular(3, 4, 5, [](const Tensor& c) { return cosface(c, labels(), {.scale = 16}); });
  check_angular(6, 7, -1, [](const Tensor& c) {
    return arcface(c, labels(), {.scale = 16, .monotone = false});
  });
  check_angular(8, 9, 10, [](const Tensor& c) { return arcface(c, labels(), {.scale = 16}); });
  check_angular(11, -1, -1, [](const Tensor& c) {
    return elastic_face(c, labels(), {.scale = 16, .monotone = false},
                        margins_of({.45, .5, .55, .48}).to(c.dtype()));
  });
  check_angular(12, -1, -1, [](const Tensor& c) {
    return elastic_face(c, labels(), {.kind = ElasticKind::Cos, .scale = 16},
                        margins_of({.30, .35, .40, .33}).to(c.dtype()));
  });
  check_angular(15, 16, 17, [](const Tensor& c) { return sface(c, labels()); });
  check_angular(18, 19, 20,
                [](const Tensor& c) { return sface(c, labels(), {.scale = 8, .slope = 5}); });
  check_angular(21, -1, -1, [](const Tensor& c) {
    const Tensor negatives = Tensor::from(std::vector<double>{.31, .12}, {2}, c.dtype());
    return unpg(cosface_logits(c, labels(), {.scale = 16}), negatives, labels(), 16);
  });
}

TEST_CASE(
    "elastic_face: '+' gives the smallest margin to the largest cosine (the official code "
    "uses the sorting permutation instead of its inverse)",
    "[losses]") {
  const Tensor c =
      class_cosines(testing::shared_features(Dtype::F64), testing::shared_weights(Dtype::F64));
  const Tensor drawn = margins_of({.45, .5, .55, .48});
  const Tensor assigned = elastic_assignment(drawn, c, labels());
  testing::check_values("Angular", 14, assigned);
  testing::check_values("Angular", 14,
                        elastic_assignment(drawn.to(Dtype::F32), c.to(Dtype::F32), labels()));
  const auto official = testing::expected_values("Angular", 13);  // cosines, argsort, margins
  const Tensor own = pick_label(c, labels());
  const auto cosines = own.to_vector<double>();
  std::vector<double> order = {0, 1, 2, 3};
  std::sort(order.begin(), order.end(),
            [&](double a, double b) { return cosines[size_t(a)] > cosines[size_t(b)]; });
  for (size_t i = 0; i < 4; ++i) {
    CHECK(cosines[i] == Approx(official[i]).epsilon(1e-9));
    CHECK(order[i] == official[4 + i]);
  }
  const std::vector<double> wrong(official.begin() + 8, official.end());
  CHECK(assigned.to_vector<double>() != wrong);
  CHECK(elastic_face(c, labels(), {.plus = true}, drawn).item() ==
        elastic_face(c, labels(), {}, assigned).item());
}

TEST_CASE("elastic_face: margins depend on seed, step and row only", "[losses]") {
  const auto draw = [](uint64_t seed, uint64_t step, int64_t n) {
    return elastic_margins(n, {.seed = seed, .step = step}).to_vector<double>();
  };
  const auto first = draw(1, 2, 1000);
  CHECK(draw(1, 2, 1000) == first);
  CHECK(draw(1, 3, 1000) != first);
  CHECK(draw(2, 2, 1000) != first);
  const auto fewer = draw(1, 2, 10);
  CHECK(std::vector<double>(first.begin(), first.begin() + 10) == fewer);
  double sum = 0, squares = 0;
  for (double m : first) sum += m, squares += (m - 0.5) * (m - 0.5);
  CHECK(sum / 1000 == Approx(0.5).margin(0.006));
  CHECK(std::sqrt(squares / 1000) == Approx(0.05).margin(0.005));
}

TEST_CASE("arcface: monotone falls with the angle, the printed formula turns beyond pi - m",
          "[losses]") {
  const auto target_logit = [](double theta, bool monotone) {
    const Tensor c = testing::matrix({{std::cos(theta), 0}}, Dtype::F64);
    return arcface_logits(c, testing::labels_of({0}), {.scale = 1, .monotone = monotone})
        .to_vector<double>()[0];
  };
  for (double theta = 0.01; theta < 3.13; theta += 0.01)
    CHECK(target_logit(theta + 0.01, true) < target_logit(theta, true));
  CHECK(target_logit(3.1, false) > target_logit(2.8, false));
}

TEST_CASE("angular losses: a margin of 0 is the normalized softmax", "[losses]") {
  const Tensor c =
      class_cosines(testing::shared_features(Dtype::F64), testing::shared_weights(Dtype::F64));
  const double plain = normalized_softmax(c, labels(), {.scale = 16}).item();
  CHECK(cosface(c, labels(), {.scale = 16, .margin = 0}).item() == plain);
  CHECK(arcface(c, labels(), {.scale = 16, .margin = 0}).item() == Approx(plain).epsilon(1e-14));
  CHECK(unpg(cosface_logits(c, labels(), {.scale = 16, .margin = 0}),
             Tensor::zeros({0}, Dtype::F64), labels(), 16)
            .item() == plain);
}

TEST_CASE("sface: the gates carry no gradient", "[losses]") {
  // With constant gates the loss is linear in the cosines: its gradient is the weights themselves.
  Tensor c = testing::matrix({{.9, .1, -.3}, {-.2, .7, .4}}, Dtype::F64);
  c.set_requires_grad(true);
  const SFaceOptions options{.scale = 2, .slope = 5, .reduction = Reduction::Sum};
  const Tensor loss = sface(c, testing::labels_of({0, 2}), options);
  loss.backward();
  const auto g = c.grad().to_vector<double>(), v = c.detach().to_vector<double>();
  double linear = 0;
  for (size_t i = 0; i < g.size(); ++i) {
    const bool own = i == 0 || i == 5;
    const double angle = std::acos(v[i]);
    const double gate = 1 / (1 + std::exp(own ? -5 * (angle - 0.8) : 5 * (angle - 1.23)));
    CHECK(g[i] == Approx((own ? -2 : 2) * gate));
    linear += g[i] * v[i];
  }
  CHECK(loss.item() == Approx(linear));
}

TEST_CASE("unpg: the filter keeps what lies within the whiskers", "[losses]") {
  const Tensor labels = testing::labels_of(testing::kEmbeddingLabels);
  for (const Dtype dtype : {Dtype::F64, Dtype::F32}) {
    const Tensor e = testing::shared_unit_rows(dtype);
    const auto negatives = [&](double whisker) {
      auto sorted = unpg_negatives(e, labels, {.whisker = whisker}).to_vector<double>();
      std::sort(sorted.begin(), sorted.end());
      return sorted;
    };
    const auto all = negatives(1e9);
    testing::check_values("Angular", 22, margins_of(all).to(dtype));
    // Q1, Q3, and how many are kept.
    const auto quartiles = testing::expected_values("Angular", 23);
    for (const size_t i : {0, 1})
      CHECK(all[all.size() * (2 * i + 1) / 4] ==
            Approx(quartiles[i]).epsilon(dtype == Dtype::F64 ? 1e-9 : 1e-5));
    CHECK(negatives(1.5).size() == static_cast<size_t>(quartiles[2]));
    testing::check_values("Angular", 24, margins_of(negatives(0.5)).to(dtype));
  }
  const Tensor e = testing::shared_unit_rows(Dtype::F64);
  CHECK(unpg_negatives(e, testing::labels_of({1, 1, 1, 1, 1, 1})).numel() == 0);
}

TEST_CASE("unpg: the appended cosines pass gradients to the embeddings", "[losses]") {
  Tensor e = testing::shared_unit_rows(Dtype::F64);
  e.set_requires_grad(true);
  const Tensor labels = testing::labels_of(testing::kEmbeddingLabels);
  const Tensor logits = testing::shared_norm3(Dtype::F64);
  unpg(logits, unpg_negatives(e, labels), labels, 4).backward();
  double largest = 0;
  for (double g : e.grad().to_vector<double>()) largest = std::max(largest, std::fabs(g));
  CHECK(largest > 0.01);
}

TEST_CASE("symface: mean of 1 - cos over the frontal samples", "[losses]") {
  const Tensor left = testing::matrix({{1, 0}, {0, 2}, {1, 1}}, Dtype::F64);
  const Tensor right = testing::matrix({{0, 1}, {0, 1}, {-1, -1}}, Dtype::F64);
  const auto front = [](double a, double b, double c) {
    return Tensor::from(std::vector<double>{a, b, c}, {3});
  };
  CHECK(symface(left, right, front(.5, .9, 0)).item() == Approx((1.0 + 0.0) / 2));
  CHECK(symface(left, right, front(0, 0, 1), {.weight = 3}).item() == Approx(6.0));
  CHECK(symface(left, right, front(0, 0, 0)).item() == 0);
}

TEST_CASE("angular losses: finite at cosines of +-1, for zero and huge vectors, one class",
          "[losses]") {
  using Loss = std::function<Tensor(const Tensor&, const Tensor&)>;
  const std::vector<Loss> all = {
      [](const Tensor& c, const Tensor& y) { return normalized_softmax(c, y); },
      [](const Tensor& c, const Tensor& y) { return cosface(c, y); },
      [](const Tensor& c, const Tensor& y) { return arcface(c, y); },
      [](const Tensor& c, const Tensor& y) { return arcface(c, y, {.monotone = false}); },
      [](const Tensor& c, const Tensor& y) { return elastic_face(c, y, {.plus = true}); },
      [](const Tensor& c, const Tensor& y) { return sface(c, y); }};
  for (Dtype dtype : {Dtype::F32, Dtype::F64})
    for (const auto& [rows, classes] :
         std::vector<std::pair<std::vector<std::vector<double>>, std::vector<std::vector<double>>>>{
             {{{1, 0}, {-1, 0}, {0, 0}, {1e6, 1e6}, {1e-12, 0}}, {{1, 0}, {1, 1}, {-1, 0}}},
             {{{1, 0}, {-1, 0}, {0, 0}, {1e6, 1e6}, {1e-12, 0}}, {{0, 0}, {1e-12, 0}, {1e6, 0}}},
             {{{1, 2}}, {{1, 2}}}})
      for (size_t which = 0; which < all.size(); ++which) {
        INFO(to_string(dtype) << " loss " << which << " classes " << classes.size());
        Tensor x = testing::matrix(rows, dtype), w = testing::matrix(classes, dtype);
        x.set_requires_grad(true);
        w.set_requires_grad(true);
        const Tensor y = Tensor::zeros({x.dim(0)}, Dtype::I64);
        const Tensor loss = all[which](class_cosines(x, w), y);
        loss.backward();
        CHECK(std::isfinite(loss.item()));
        for (double g : x.grad().to_vector<double>()) CHECK(std::isfinite(g));
        for (double g : w.grad().to_vector<double>()) CHECK(std::isfinite(g));
      }
}

TEST_CASE("angular losses: rows labelled -1 add nothing", "[losses]") {
  const Tensor c =
      class_cosines(testing::shared_features(Dtype::F64), testing::shared_weights(Dtype::F64));
  const Tensor some = testing::labels_of({0, -1, 2, -1}), two = testing::labels_of({0, 2});
  const Tensor kept = concat({slice(c, 0, 0, 1), slice(c, 0, 2, 3)}, 0);
  CHECK(normalized_softmax(c, some).item() == Approx(normalized_softmax(kept, two).item()));
  CHECK(cosface(c, some).item() == Approx(cosface(kept, two).item()));
  CHECK(arcface(c, some).item() == Approx(arcface(kept, two).item()));
  CHECK(sface(c, some).item() == Approx(sface(kept, two).item()));
  Tensor tracked = c.clone();
  tracked.set_requires_grad(true);
  sface(tracked, some).backward();
  const auto g = tracked.grad().to_vector<double>();
  for (size_t i = 0; i < 12; ++i) CHECK((g[i] == 0) == (i / 3 == 1 || i / 3 == 3));
}

TEST_CASE("angular losses: T(L) composes with them on the scaled cosines", "[losses]") {
  const Tensor c =
      class_cosines(testing::shared_features(Dtype::F64), testing::shared_weights(Dtype::F64));
  const Tensor rows = arcface(c, labels(), {.scale = 16, .reduction = Reduction::None});
  const Tensor groups = testing::labels_of({1, 1, 2, 2}), logits = c * 16.0;
  CHECK(loss_transform_rows(rows, logits, groups, {.rho = 0.5}).item() ==
        Approx(mean(rows).item() + 0.5 * mean(group_kl(logits, groups)).item()));
}

TEST_CASE("angular losses: bad input is an error with the value", "[losses]") {
  const Tensor c = testing::shared_logits(Dtype::F32);
  CHECK_THROWS_WITH(cosface(c, labels(), {.scale = 0}), testing::contains("[cosface]"));
  CHECK_THROWS_WITH(cosface(c, labels(), {.margin = -0.1}), testing::contains("-0.1"));
  CHECK_THROWS_WITH(arcface(c, labels(), {.margin = 2}), testing::contains("radians"));
  CHECK_THROWS_WITH(arcface(c, c), testing::contains("hard labels"));
  CHECK_THROWS_WITH(arcface(c, testing::labels_of({0, 1, 7, 0})),
                    testing::contains("label 7 of row 2"));
  CHECK_THROWS_WITH(elastic_face(c, labels(), {}, Tensor::ones({2})),
                    testing::contains("one margin per row"));
  CHECK_THROWS_WITH(unpg(c, c, labels()), testing::contains("[unpg]"));
  CHECK_THROWS_WITH(symface(c, c, c), testing::contains("[symface]"));
}

}  // namespace ditto
