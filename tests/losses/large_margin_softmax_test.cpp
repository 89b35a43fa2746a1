#include "losses/large_margin_softmax.h"

#include <cmath>

#include "autograd/ops.h"
#include "losses/cross_entropy.h"
#include "tests/support/catch.h"
#include "tests/support/loss_vectors.h"

namespace ditto {
using namespace losses;

namespace {
Tensor labels() { return testing::labels_of({0, 1, 2, 0}); }
}  // namespace

TEST_CASE("large_margin_softmax: vectors of the reference sheet", "[losses]") {
  using namespace testing;
  const struct {
    int margin;
    double lambda;
    int logits, loss, by_features, by_weights;
  } cases[] = {
      {2, 0, 0, 1, 2, 3}, {2, 5, 4, 5, -1, -1}, {4, 0, 6, 7, 8, 9}, {3, 0, 10, 11, -1, -1}};
  for (Dtype dtype : {Dtype::F64, Dtype::F32})
    for (const auto& c : cases) {
      const LargeMarginSoftmaxOptions options{.margin = c.margin, .lambda = c.lambda};
      const Tensor x = shared_features(dtype), w = shared_weights(dtype);
      check_values("L-Softmax", c.logits, large_margin_logits(x, w, labels(), options));
      check_vector("L-Softmax", c.loss, c.by_features, x,
                   [&](const Tensor& v) { return large_margin_softmax(v, w, labels(), options); });
      check_vector("L-Softmax", c.loss, c.by_weights, w,
                   [&](const Tensor& v) { return large_margin_softmax(x, v, labels(), options); });
    }
}

TEST_CASE("large_margin_softmax: m = 1 and lambda -> infinity are cross-entropy", "[losses]") {
  const Tensor x = testing::shared_features(Dtype::F64), w = testing::shared_weights(Dtype::F64);
  const double plain = cross_entropy(linear(x, w), labels()).item();
  CHECK(large_margin_softmax(x, w, labels(), {.margin = 1}).item() == Approx(plain).epsilon(1e-14));
  CHECK(large_margin_softmax(x, w, labels(), {.lambda = 1e12}).item() ==
        Approx(plain).epsilon(1e-10));
}

TEST_CASE("large_margin_softmax: psi falls with the angle and equals its definition", "[losses]") {
  const Tensor w = testing::matrix({{1, 0}, {0, 0}}, Dtype::F64);
  for (int m = 1; m <= 4; ++m) {
    double before = 2;
    for (double theta = 0.01; theta < 3.14; theta += 0.01) {
      const Tensor x = testing::matrix({{std::cos(theta), std::sin(theta)}}, Dtype::F64);
      const double psi =
          large_margin_logits(x, w, testing::labels_of({0}), {.margin = m}).to_vector<double>()[0];
      const int k = static_cast<int>(theta * m / M_PI);
      CHECK(psi == Approx((k % 2 == 0 ? 1 : -1) * std::cos(m * theta) - 2 * k).margin(1e-12));
      CHECK(psi < before);
      before = psi;
    }
  }
}

TEST_CASE("large_margin_softmax: finite for aligned, zero, tiny and huge vectors", "[losses]") {
  for (Dtype dtype : {Dtype::F32, Dtype::F64})
    for (int m = 1; m <= 4; ++m) {
      Tensor x = testing::matrix({{1, 0}, {-1, 0}, {0, 0}, {1e4, 1e4}, {1e-12, 0}}, dtype);
      Tensor w = testing::matrix({{1, 0}, {0, 0}, {-1e2, 1}}, dtype);
      x.set_requires_grad(true);
      w.set_requires_grad(true);
      const Tensor loss =
          large_margin_softmax(x, w, testing::labels_of({0, 0, 0, 1, 2}), {.margin = m});
      loss.backward();
      CHECK(std::isfinite(loss.item()));
      for (double g : x.grad().to_vector<double>()) CHECK(std::isfinite(g));
      for (double g : w.grad().to_vector<double>()) CHECK(std::isfinite(g));
    }
}

TEST_CASE("large_margin_softmax: the annealing schedule", "[losses]") {
  CHECK(large_margin_lambda(0) == 1000);
  CHECK(large_margin_lambda(10000) == Approx(1000 * std::pow(1.1, -45)));
  CHECK(large_margin_lambda(1000000, {.minimum = 5}) == 5);
}

TEST_CASE("large_margin_softmax: bad input is an error with the value", "[losses]") {
  const Tensor x = testing::shared_features(Dtype::F32), w = testing::shared_weights(Dtype::F32);
  CHECK_THROWS_WITH(large_margin_softmax(x, w, labels(), {.margin = 5}), testing::contains("5"));
  CHECK_THROWS_WITH(large_margin_softmax(x, w, labels(), {.lambda = -1}), testing::contains("-1"));
  CHECK_THROWS_WITH(large_margin_softmax(x, w, x), testing::contains("hard labels"));
  CHECK_THROWS_WITH(large_margin_softmax(x, w, testing::labels_of({0, 1, 3, 0})),
                    testing::contains("label 3 of row 2"));
}

}  // namespace ditto
