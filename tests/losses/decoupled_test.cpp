#include "losses/decoupled.h"

#include <cmath>

#include "autograd/ops.h"
#include "losses/cross_entropy.h"
#include "tests/support/catch.h"
#include "tests/support/loss_vectors.h"

namespace ditto {
using namespace losses;

namespace {
Tensor scores(Dtype dtype) {
  return testing::matrix({{.5, -.2, 1.1, .3}, {0, .9, -.4, .2}, {.7, .1, -.6, .4}}, dtype);
}
Tensor targets(Dtype dtype) {
  return testing::matrix({{1, 0, 1, 0}, {0, 1, 0, 0}, {1, 1, 0, 1}}, dtype);
}
}  // namespace

TEST_CASE("decoupled_softmax, soft_top_k: vectors of the reference sheet", "[losses]") {
  using namespace testing;
  for (Dtype dtype : {Dtype::F64, Dtype::F32}) {
    check_vector("DE", 0, 1, scores(dtype), [&](const Tensor& s) {
      return decoupled_softmax(s, targets(dtype), {.temperature = 1});
    });
    // The repository's plain softmax over several true classes is cross-entropy of their
    // indicators.
    check_values("DE", 2, cross_entropy(scores(dtype), targets(dtype)));
    check_values("DE", 3, soft_top_k(scores(dtype), {.k = 2}));
    check_vector("DE", 4, 5, scores(dtype),
                 [&](const Tensor& s) { return soft_top_k_loss(s, targets(dtype), {.k = 2}); });
  }
}

TEST_CASE("decoupled_softmax: one true class is cross-entropy; one and zero classes", "[losses]") {
  const Tensor z = testing::shared_logits(Dtype::F64), y = testing::labels_of({0, 1, 2, 2});
  CHECK(decoupled_softmax(z, y, {.temperature = 0.5}).item() ==
        Approx(cross_entropy(z * 2.0, y).item()).epsilon(1e-13));
  // Rows without a true class leave the mean; rows without a false one lose nothing.
  const Tensor t = testing::matrix({{1, 0, 0}, {0, 0, 0}, {1, 1, 1}, {0, 0, 1}}, Dtype::F64);
  const auto rows =
      decoupled_softmax(z, t, {.temperature = 1, .reduction = Reduction::None}).to_vector<double>();
  CHECK(rows[1] == 0);
  CHECK(rows[2] == 0);
  CHECK(decoupled_softmax(z, t, {.temperature = 1}).item() == Approx((rows[0] + rows[3]) / 3));
  CHECK(decoupled_softmax(z, t * 0.0).item() == 0);
}

TEST_CASE(
    "decoupled_softmax: other positives leave the denominator exactly (the authors' mask of "
    "-100 leaks for scores below it)",
    "[losses]") {
  const Tensor s = testing::matrix({{-10, -12, -11}}, Dtype::F64);
  const Tensor t = testing::matrix({{1, 0, 1}}, Dtype::F64);
  // s / 0.05 = -200, -240, -220: with the mask at -100 the losses would be 100 and 120.
  CHECK(decoupled_softmax(s, t).item() < 1e-8);
}

TEST_CASE("decoupled_softmax, soft_top_k: huge scores stay finite", "[losses]") {
  for (Dtype dtype : {Dtype::F32, Dtype::F64})
    for (double scale : {1e4, -1e4, 0.0})
      for (bool top_k : {false, true}) {
        Tensor s = (scores(dtype) * scale).detach();
        s.set_requires_grad(true);
        const Tensor loss = top_k ? soft_top_k_loss(s, targets(dtype), {.k = 2})
                                  : decoupled_softmax(s, targets(dtype));
        loss.backward();
        CHECK(std::isfinite(loss.item()));
        for (double g : s.grad().to_vector<double>()) CHECK(std::isfinite(g));
      }
}

TEST_CASE("soft_top_k: k classes' worth of probability, whatever the scores", "[losses]") {
  for (double scale : {0.0, 0.1, 1.0, 30.0})
    for (int k : {1, 2, 3}) {
      const Tensor q = soft_top_k(scores(Dtype::F64) * scale, {.k = k});
      for (double total : sum(q, 1).to_vector<double>()) CHECK(total == Approx(k).epsilon(1e-9));
    }
}

TEST_CASE("decoupled_softmax, soft_top_k: bad input is an error with the value", "[losses]") {
  const Tensor s = scores(Dtype::F32), t = targets(Dtype::F32);
  CHECK_THROWS_WITH(decoupled_softmax(s, t, {.temperature = 0}), testing::contains("temperature"));
  CHECK_THROWS_WITH(decoupled_softmax(s, Tensor::zeros({3, 3})), testing::contains("(3, 3)"));
  CHECK_THROWS_WITH(soft_top_k(s, {.k = 4}), testing::contains("below the 4 classes"));
  CHECK_THROWS_WITH(soft_top_k_loss(s, testing::labels_of({0, 9, 1}), {.k = 2}),
                    testing::contains("label 9"));
}

}  // namespace ditto
