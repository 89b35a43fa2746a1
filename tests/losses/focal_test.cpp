#include "losses/focal.h"

#include <cmath>

#include "autograd/ops.h"
#include "tests/support/catch.h"
#include "tests/support/loss_vectors.h"

namespace ditto {
using namespace losses;

namespace {
Tensor labels() { return testing::labels_of({0, 1, 2, 2}); }
}  // namespace

TEST_CASE("focal losses: vectors of the reference sheet", "[losses]") {
  using namespace testing;
  for (Dtype dtype : {Dtype::F64, Dtype::F32}) {
    const Tensor x = Tensor::from(std::vector<double>{.5, -1.2, 2, -.3}, {4}, dtype);
    const Tensor t = Tensor::from(std::vector<double>{1, 0, 1, 1}, {4}, dtype);
    check_vector("Focal", 0, 1, x, [&](const Tensor& v) {
      return sigmoid_focal(v, t, {.reduction = Reduction::Sum});
    });
    check_vector("Focal", 2, -1, x, [&](const Tensor& v) {
      return sigmoid_focal(v, t, {.alpha = -1, .reduction = Reduction::Sum});
    });
    check_vector("Focal", 3, 4, dtype, [](const Tensor& z) { return softmax_focal(z, labels()); });
    const Tensor p = Tensor::from(std::vector<double>{.2, .8}, {2}, dtype);
    check_values("Focal", 5,
                 concat({dataset_equity_weights(p),
                         dataset_equity_weights(slice(p, 0, 0, 1), {.eta = .3, .gamma = 2})},
                        0));
  }
}

TEST_CASE("softmax_focal: gamma 0 is cross-entropy, and p -> 1 has no gradient", "[losses]") {
  const Tensor z = testing::shared_logits(Dtype::F64);
  CHECK(softmax_focal(z, labels(), {.gamma = 0}).item() ==
        Approx(cross_entropy(z, labels()).item()).epsilon(1e-15));
  for (double gamma : {0.0, 0.5, 1.0, 2.0, 5.0})
    for (Dtype dtype : {Dtype::F32, Dtype::F64})
      for (double scale : {1e4, -1e4, 30.0, 0.0}) {
        INFO("gamma " << gamma << " scale " << scale);
        Tensor big = (testing::shared_logits(dtype) * scale).detach();
        big.set_requires_grad(true);
        const Tensor loss = softmax_focal(big, labels(), {.gamma = gamma});
        loss.backward();
        CHECK(std::isfinite(loss.item()));
        for (double g : big.grad().to_vector<double>()) CHECK(std::isfinite(g));
      }
}

TEST_CASE("sigmoid_focal: huge logits stay finite, labels are one class against the rest",
          "[losses]") {
  for (double gamma : {0.0, 0.5, 2.0})
    for (Dtype dtype : {Dtype::F32, Dtype::F64})
      for (double scale : {1e4, -1e4, 0.0}) {
        Tensor z = (testing::shared_logits(dtype) * scale).detach();
        z.set_requires_grad(true);
        const Tensor loss = sigmoid_focal(z, labels(), {.gamma = gamma});
        loss.backward();
        CHECK(std::isfinite(loss.item()));
        for (double g : z.grad().to_vector<double>()) CHECK(std::isfinite(g));
      }
  const Tensor z = testing::shared_logits(Dtype::F64);
  const Tensor y = one_hot(labels(), 3, Dtype::F64);
  const Tensor rows = sigmoid_focal(z, labels(), {.reduction = Reduction::None});
  CHECK(rows.shape() == Shape{4});
  const Tensor flat =
      sigmoid_focal(reshape(z, {12}), reshape(y, {12}), {.reduction = Reduction::Sum});
  CHECK(sum(rows).item() == Approx(flat.item()).epsilon(1e-14));
  CHECK(sigmoid_focal(z, y, {.normalizer = 8}).item() == Approx(sum(rows).item() / 8));
}

TEST_CASE("generalized_focal: weights are constants, and reduction is over the samples",
          "[losses]") {
  Tensor rows = Tensor::from(std::vector<double>{1, 2}, {2}, Dtype::F64);
  Tensor p = Tensor::from(std::vector<double>{0, 1}, {2}, Dtype::F64);
  rows.set_requires_grad(true);
  p.set_requires_grad(true);
  const Tensor loss = generalized_focal(rows, p);
  CHECK(loss.item() == Approx((1 * 1 + 2 * 0.5) / 2));
  loss.backward();
  CHECK(rows.grad().to_vector<double>() == std::vector<double>{0.5, 0.25});
  CHECK(!p.grad().defined());
}

TEST_CASE("focal losses: bad input is an error with the value", "[losses]") {
  const Tensor z = testing::shared_logits(Dtype::F32);
  CHECK_THROWS_WITH(softmax_focal(z, labels(), {.gamma = -1}), testing::contains("-1"));
  CHECK_THROWS_WITH(sigmoid_focal(z, labels(), {.gamma = -1}), testing::contains("-1"));
  CHECK_THROWS_WITH(sigmoid_focal(z, Tensor::zeros({4})), testing::contains("[sigmoid_focal]"));
  CHECK_THROWS_WITH(sigmoid_focal(z, testing::labels_of({0, 1, 5, 0})),
                    testing::contains("label 5 of row 2"));
  CHECK_THROWS_WITH(generalized_focal(z, z), testing::contains("[generalized_focal]"));
}

}  // namespace ditto
