#include "losses/cross_entropy.h"

#include <cmath>

#include "autograd/ops.h"
#include "tests/support/catch.h"
#include "tests/support/loss_vectors.h"

namespace ditto {
using losses::cross_entropy;
using losses::Reduction;

TEST_CASE("cross_entropy: vectors of the reference sheet", "[losses]") {
  using namespace testing;
  const Tensor labels = Tensor::from(std::vector<int64_t>{0, 1, 2, 2}, {4});
  for (Dtype dtype : {Dtype::F64, Dtype::F32}) {
    const auto soft = matrix({{.7, .3, 0}, {.1, .8, .1}, {0, .25, .75}, {.5, 0, .5}}, dtype);
    const auto loose = matrix({{.7, 0, 0}, {.1, .8, .4}, {0, .25, .75}, {.5, 0, .5}}, dtype);
    check_vector("CE", 0, 1, dtype, [&](const Tensor& z) { return cross_entropy(z, labels); });
    check_vector("CE", 2, 3, dtype, [&](const Tensor& z) { return cross_entropy(z, soft); });
    check_vector("CE", 4, 5, dtype, [&](const Tensor& z) {
      return cross_entropy(z, labels, {.label_smoothing = 0.2});
    });
    check_vector("CE", 6, 7, dtype, [&](const Tensor& z) { return cross_entropy(z, loose); });
  }
}

TEST_CASE("cross_entropy: shifting all logits of a row changes nothing", "[losses]") {
  const Tensor labels = Tensor::from(std::vector<int64_t>{0, 1, 2, 2}, {4});
  const Tensor z = testing::shared_logits(Dtype::F64);
  const double base = cross_entropy(z, labels).item();
  for (double shift : {1e3, -1e3})
    CHECK(cross_entropy(z + shift, labels).item() == Approx(base).epsilon(1e-11));
}

TEST_CASE("cross_entropy: gradient sums to zero over classes for normalised targets", "[losses]") {
  const Tensor labels = Tensor::from(std::vector<int64_t>{0, 1, 2, 2}, {4});
  Tensor z = testing::shared_logits(Dtype::F64);
  z.set_requires_grad(true);
  cross_entropy(z, labels, {.label_smoothing = 0.3}).backward();
  for (double total : sum(z.grad(), 1).to_vector<double>()) CHECK(std::fabs(total) < 1e-16);
}

TEST_CASE("cross_entropy: huge logits stay finite", "[losses]") {
  const Tensor labels = Tensor::from(std::vector<int64_t>{0, 1, 2, 2}, {4});
  for (Dtype dtype : {Dtype::F32, Dtype::F64})
    for (double scale : {1e4, -1e4}) {
      Tensor z = (testing::shared_logits(dtype) * scale).detach();
      z.set_requires_grad(true);
      const Tensor loss = cross_entropy(z, labels);
      loss.backward();
      CHECK(std::isfinite(loss.item()));
      for (double g : z.grad().to_vector<double>()) CHECK(std::isfinite(g));
    }
}

TEST_CASE("cross_entropy: f32 gradients of shifted logits are those of the logits", "[losses]") {
  // Shifts are multiples of 1/8 below 2^14, so the shifted logits are exact in f32.
  const Tensor labels = Tensor::from(std::vector<int64_t>{0, 1}, {2});
  std::vector<std::vector<double>> grads;
  for (double shift : {0.0, 10000.0}) {
    Tensor z = testing::matrix(
        {{1 + shift, -.5 + shift, .25 + shift}, {.25 + shift, .75 + shift, -1.125 + shift}},
        Dtype::F32);
    z.set_requires_grad(true);
    cross_entropy(z, labels).backward();
    grads.push_back(z.grad().to_vector<double>());
  }
  for (size_t i = 0; i < grads[0].size(); ++i)
    CHECK(grads[1][i] == Approx(grads[0][i]).epsilon(1e-6));
}

TEST_CASE("cross_entropy: reductions and ignored rows", "[losses]") {
  const Tensor z = testing::shared_logits(Dtype::F64);
  const Tensor labels = Tensor::from(std::vector<int64_t>{0, -100, 2, 2}, {4});
  const auto rows = cross_entropy(z, labels, {.reduction = Reduction::None}).to_vector<double>();
  REQUIRE(rows.size() == 4);
  CHECK(rows[1] == 0);
  const double total = rows[0] + rows[2] + rows[3];
  CHECK(cross_entropy(z, labels, {.reduction = Reduction::Sum}).item() == Approx(total));
  CHECK(cross_entropy(z, labels).item() == Approx(total / 3));  // ignored rows leave the mean
  Tensor tracked = testing::shared_logits(Dtype::F64);
  tracked.set_requires_grad(true);
  const Tensor none = Tensor::full({4}, -100, Dtype::I64);
  const Tensor loss = cross_entropy(tracked, none);
  loss.backward();
  CHECK(loss.item() == 0);
  for (double g : tracked.grad().to_vector<double>()) CHECK(g == 0);
}

TEST_CASE("cross_entropy: bad input is an error with the value", "[losses]") {
  const Tensor z = testing::shared_logits(Dtype::F32);
  const auto labels = [](std::vector<int64_t> v) {
    const int64_t n = static_cast<int64_t>(v.size());
    return Tensor::from(v, {n});
  };
  CHECK_THROWS_WITH(cross_entropy(z, labels({0, 1, 3, 2})),
                    testing::contains("[cross_entropy] label 3 of row 2"));
  CHECK_THROWS_WITH(cross_entropy(z, labels({0, -1, 0, 2})),
                    testing::contains("label -1 of row 1"));
  CHECK_THROWS_WITH(cross_entropy(z, labels({0, 1})), testing::contains("[cross_entropy]"));
  CHECK_THROWS_WITH(cross_entropy(z, Tensor::zeros({4, 2})), testing::contains("(4, 2)"));
  CHECK_THROWS_WITH(cross_entropy(z, Tensor::zeros({4, 3}, Dtype::F64)),
                    testing::contains("dtypes differ"));
  CHECK_THROWS_WITH(cross_entropy(z, labels({0, 1, 2, 2}), {.label_smoothing = 1.5}),
                    testing::contains("1.5"));
  CHECK_THROWS_WITH(cross_entropy(Tensor::zeros({3}), labels({0, 1, 2})),
                    testing::contains("dimensions"));
}

}  // namespace ditto
