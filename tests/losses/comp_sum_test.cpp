#include "losses/comp_sum.h"

#include <cmath>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "tests/support/catch.h"
#include "tests/support/loss_vectors.h"

namespace ditto {
using namespace losses;

namespace {
Tensor labels() { return testing::labels_of({0, 1, 2, 2}); }
Tensor soft(Dtype dtype) {
  return testing::matrix({{.7, .3, 0}, {.1, .8, .1}, {0, .25, .75}, {.5, 0, .5}}, dtype);
}
}  // namespace

TEST_CASE("comp_sum: vectors of the reference sheet", "[losses]") {
  using namespace testing;
  const double taus[] = {0, 0.5, 1, 1.7, 2};
  for (Dtype dtype : {Dtype::F64, Dtype::F32}) {
    for (int i = 0; i < 5; ++i)
      check_vector("comp-sum", i, -1, dtype,
                   [&](const Tensor& z) { return comp_sum(z, labels(), {.tau = taus[i]}); });
    check_vector("comp-sum", 3, 5, dtype,
                 [](const Tensor& z) { return generalized_cross_entropy(z, labels()); });
    check_vector("comp-sum", 7, -1, dtype, [](const Tensor& z) {
      return generalized_cross_entropy(z, labels(), {.truncation = 0.5});
    });
    check_vector("comp-sum", 4, 8, dtype,
                 [](const Tensor& z) { return comp_sum(z, labels(), {.tau = 2}); });
    // Row by row the mean absolute error is what the true class's probability lacks.
    check_values(
        "comp-sum", 6,
        1.0 - comp_sum(shared_logits(dtype), labels(), {.tau = 2, .reduction = Reduction::None}));
    check_vector("comp-sum", 9, -1, dtype,
                 [](const Tensor& z) { return comp_sum(z, labels(), {.tau = 2, .scale = 2}); });
    const Tensor step =
        matrix({{-.2, .1, .05}, {.15, -.3, .1}, {0, .2, -.25}, {-.1, .3, .2}}, dtype);
    const Tensor z = shared_logits(dtype), moved = z + step;
    check_vector("comp-sum", 10, 11, z,
                 [&](const Tensor& x) { return smooth_adversarial(x, moved, labels()); });
    check_vector("comp-sum", 10, 12, moved,
                 [&](const Tensor& x) { return smooth_adversarial(z, x, labels()); });
  }
}

TEST_CASE("comp_sum: the ends of the family", "[losses]") {
  const Tensor z = testing::shared_logits(Dtype::F64);
  CHECK(comp_sum(z, labels()).item() == cross_entropy(z, labels()).item());
  CHECK(generalized_cross_entropy(z, labels(), {.q = 0}).item() ==
        cross_entropy(z, labels()).item());
  CHECK(comp_sum(z, labels(), {.tau = 1 + 1e-9}).item() ==
        Approx(cross_entropy(z, labels()).item()).epsilon(1e-8));
  // The mean absolute error is 1 - p_y, not the identically zero sum_c (y - p)_c of the LDR
  // repository's MAELoss (which forgot the absolute value).
  const auto p = softmax(z).to_vector<double>();
  const auto rows = comp_sum(z, labels(), {.tau = 2, .reduction = Reduction::None});
  const auto y = labels().to_vector<int64_t>();
  for (size_t i = 0; i < 4; ++i)
    CHECK(rows.to_vector<double>()[i] == Approx(1 - p[i * 3 + static_cast<size_t>(y[i])]));
}

TEST_CASE("comp_sum: the gradient is p_y^(tau - 1) (p - onehot)", "[losses]") {
  for (double tau : {0.0, 0.5, 1.0, 1.7, 2.0}) {
    Tensor z = testing::shared_logits(Dtype::F64);
    z.set_requires_grad(true);
    comp_sum(z, labels(), {.tau = tau, .reduction = Reduction::Sum}).backward();
    const auto p = softmax(z.detach()).to_vector<double>(), g = z.grad().to_vector<double>();
    const auto y = labels().to_vector<int64_t>();
    for (size_t i = 0; i < 12; ++i) {
      const auto target = static_cast<size_t>(y[i / 3]);
      const double factor = std::pow(p[i / 3 * 3 + target], tau - 1);
      CHECK(g[i] == Approx(factor * (p[i] - (i % 3 == target))).margin(1e-14));
    }
  }
}

TEST_CASE("comp_sum: where the truncated loss is constant there is no gradient", "[losses]") {
  Tensor z = testing::shared_logits(Dtype::F64);
  z.set_requires_grad(true);
  const Tensor rows =
      generalized_cross_entropy(z, labels(), {.truncation = 0.5, .reduction = Reduction::None});
  CHECK(rows.detach().to_vector<double>()[3] == Approx((1 - std::pow(0.5, 0.7)) / 0.7));
  sum(rows).backward();
  const auto g = z.grad().to_vector<double>();
  for (size_t i = 0; i < 12; ++i) CHECK((g[i] == 0) == (i / 3 == 3));  // p_y of row 3 is 0.18
}

TEST_CASE("comp_sum: soft targets average the losses of the classes", "[losses]") {
  const Tensor z = testing::shared_logits(Dtype::F64), y = soft(Dtype::F64);
  for (double tau : {0.5, 1.0, 1.7}) {
    double expected = 0;
    for (int64_t c = 0; c < 3; ++c) {
      const Tensor rows = comp_sum(z, Tensor::full({4}, double(c), Dtype::I64),
                                   {.tau = tau, .reduction = Reduction::None});
      expected += sum(rows * reshape(slice(y, 1, c, c + 1), {4})).item() / 4;
    }
    CHECK(comp_sum(z, y, {.tau = tau}).item() == Approx(expected).epsilon(1e-13));
  }
}

TEST_CASE("comp_sum: huge logits stay finite", "[losses]") {
  for (Dtype dtype : {Dtype::F32, Dtype::F64})
    for (double tau : {0.0, 0.5, 1.0, 1.7, 2.0})
      for (double scale : {1e4, -1e4, 0.0}) {
        INFO(to_string(dtype) << " tau " << tau << " scale " << scale);
        Tensor z = (testing::shared_logits(dtype) * scale).detach();
        z.set_requires_grad(true);
        const Tensor loss = comp_sum(z, labels(), {.tau = tau});
        loss.backward();
        CHECK(std::isfinite(loss.item()));
        for (double g : z.grad().to_vector<double>()) CHECK(std::isfinite(g));
      }
}

TEST_CASE("comp_sum: one class, one row, ignored rows", "[losses]") {
  const Tensor one = testing::matrix({{3.5}}, Dtype::F64);
  for (double tau : {0.0, 1.0, 1.7, 2.0})
    CHECK(comp_sum(one, testing::labels_of({0}), {.tau = tau}).item() == 0);
  const Tensor z = testing::shared_logits(Dtype::F64), some = testing::labels_of({0, -100, 2, 2});
  const auto rows = comp_sum(z, some, {.tau = 1.7, .reduction = Reduction::None});
  CHECK(rows.to_vector<double>()[1] == 0);
  CHECK(comp_sum(z, some, {.tau = 1.7}).item() == Approx(sum(rows).item() / 3));
  CHECK(smooth_adversarial(z, z + 0.0, some, {.tau = 1.7}).item() ==
        Approx(sum(rows).item() / 3).margin(1e-10));
}

TEST_CASE("smooth_adversarial: equal logits give a finite, vanishing gradient of the distance",
          "[losses]") {
  Tensor z = testing::shared_logits(Dtype::F64), moved = testing::shared_logits(Dtype::F64);
  moved.set_requires_grad(true);
  smooth_adversarial(z, moved, labels()).backward();
  for (double g : moved.grad().to_vector<double>()) CHECK(g == 0);
}

TEST_CASE("comp_sum: bad input is an error with the value", "[losses]") {
  const Tensor z = testing::shared_logits(Dtype::F32);
  CHECK_THROWS_WITH(comp_sum(z, labels(), {.tau = 2.5}), testing::contains("2.5"));
  CHECK_THROWS_WITH(comp_sum(z, labels(), {.truncation = 1}), testing::contains("truncation"));
  CHECK_THROWS_WITH(generalized_cross_entropy(z, labels(), {.q = -1}), testing::contains("-1"));
  CHECK_THROWS_WITH(comp_sum(z, testing::labels_of({0, 1, 3, 2})),
                    testing::contains("label 3 of row 2"));
  CHECK_THROWS_WITH(smooth_adversarial(z, z, soft(Dtype::F32)), testing::contains("hard labels"));
}

}  // namespace ditto
