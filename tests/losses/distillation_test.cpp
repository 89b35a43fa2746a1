// Distillation, and the objectives without labels: NCE, compositional NLL, DEPICT, NoProp.
#include "losses/distillation.h"

#include <cmath>

#include "autograd/ops.h"
#include "losses/depict.h"
#include "losses/nce.h"
#include "losses/noprop.h"
#include "tests/support/catch.h"
#include "tests/support/loss_vectors.h"

namespace ditto {
using namespace losses;

namespace {
Tensor teacher(Dtype dtype) {
  return testing::matrix({{2, -1, .5}, {.1, 1.5, -.7}, {-.5, .2, 2.2}, {1, -.4, 1.3}}, dtype);
}
Tensor vector_of(const std::vector<double>& values, Dtype dtype) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, dtype);
}
}  // namespace

TEST_CASE("distillation, dual heads: vectors of the reference sheet", "[losses]") {
  using namespace testing;
  for (Dtype dtype : {Dtype::F64, Dtype::F32}) {
    check_vector("KD", 0, 1, dtype,
                 [&](const Tensor& z) { return distillation(z, teacher(dtype)); });
    check_vector("KD", 2, 3, dtype,
                 [&](const Tensor& z) { return binary_kl_norm(z, teacher(dtype)); });
  }
}

TEST_CASE("distillation: a mean over the rows, not over their elements (a common bug)",
          "[losses]") {
  const Tensor z = testing::shared_logits(Dtype::F64), t = teacher(Dtype::F64);
  const double row = distillation(slice(z, 0, 1, 2), slice(t, 0, 1, 2)).item();
  const Tensor twice = concat({slice(z, 0, 1, 2), slice(z, 0, 1, 2)}, 0);
  CHECK(distillation(twice, concat({slice(t, 0, 1, 2), slice(t, 0, 1, 2)}, 0)).item() ==
        Approx(row).epsilon(1e-14));
  // The row's own sum over the classes, by hand.
  const auto s = softmax(slice(z, 0, 1, 2) / 4.0).to_vector<double>(),
             q = softmax(slice(t, 0, 1, 2) / 4.0).to_vector<double>();
  double sum = 0;
  for (size_t c = 0; c < 3; ++c) sum += q[c] * std::log(q[c] / s[c]);
  CHECK(row == Approx(16 * sum).epsilon(1e-12));
}

TEST_CASE("distillation: the teacher is a constant, equal predictions lose nothing", "[losses]") {
  Tensor t = teacher(Dtype::F64), z = testing::shared_logits(Dtype::F64);
  t.set_requires_grad(true);
  z.set_requires_grad(true);
  const Tensor labels = testing::labels_of({0, 1, 2, 2});
  const Tensor loss = distillation(z, t) + dual_head_distillation(z, z, t, labels, {.weight = 0.5});
  loss.backward();
  CHECK(!t.grad().defined());
  CHECK(loss.item() == Approx(distillation(z, t).item() + cross_entropy(z, labels).item() +
                              0.5 * binary_kl_norm(z, t).item()));
  CHECK(std::fabs(distillation(t, t).item()) < 1e-14);
  CHECK(std::fabs(binary_kl_norm(t, t).item()) < 1e-14);
  for (Dtype dtype : {Dtype::F32, Dtype::F64})
    for (double scale : {1e4, -1e4}) {
      Tensor big = (testing::shared_logits(dtype) * scale).detach();
      big.set_requires_grad(true);
      const Tensor both =
          distillation(big, teacher(dtype) * scale) + binary_kl_norm(big, teacher(dtype) * -scale);
      both.backward();
      CHECK(std::isfinite(both.item()));
      for (double g : big.grad().to_vector<double>()) CHECK(std::isfinite(g));
    }
  CHECK_THROWS_WITH(distillation(z, slice(t.detach(), 1, 0, 2)), testing::contains("(4, 2)"));
  CHECK_THROWS_WITH(distillation(z, t, {.temperature = 0}), testing::contains("temperature"));
}

TEST_CASE("nce, compositional_nll: vectors of the reference sheet", "[losses]") {
  using namespace testing;
  for (Dtype dtype : {Dtype::F64, Dtype::F32}) {
    const Tensor f = vector_of({.3, -.2, .8, -.5, .1, -1.2, .4, 0, -.3}, dtype);
    const Tensor q_data = log(vector_of({.2, .3, .25}, dtype));
    const Tensor q_noise = log(vector_of({.4, .3, .2, .25, .35, .3}, dtype));
    check_vector("NCE", 0, 1, f, [&](const Tensor& v) {
      return nce(slice(v, 0, 0, 3), slice(v, 0, 3, 9), q_data, q_noise);
    });
    check_vector("NCE", 2, 3, f, [&](const Tensor& v) {
      return compositional_nll(slice(v, 0, 0, 3), slice(v, 0, 3, 9), q_noise);
    });
    // The first step of the tracked form is the plain one.
    check_vector("NCE", 2, 3, f, [&](const Tensor& v) {
      return TrackedCompositionalNll()(slice(v, 0, 0, 3), slice(v, 0, 3, 9), q_noise);
    });
  }
}

TEST_CASE("compositional_nll: the tracked mean moves and weighs the gradient", "[losses]") {
  const Tensor data = vector_of({0}, Dtype::F64), q = vector_of({0, 0}, Dtype::F64);
  TrackedCompositionalNll tracked(0.75);
  tracked(data, vector_of({std::log(2.0), std::log(4.0)}, Dtype::F64), q);
  CHECK(tracked.log_u() == Approx(std::log(3.0)));
  Tensor noise = vector_of({std::log(6.0), std::log(8.0)}, Dtype::F64);
  noise.set_requires_grad(true);
  const Tensor loss = tracked(data, noise, q);
  loss.backward();
  const double u = 0.75 * 3 + 0.25 * 7;
  CHECK(loss.item() == Approx(std::log(u)));
  CHECK(noise.grad().to_vector<double>()[0] == Approx(6 / (2 * u)));
  CHECK(noise.grad().to_vector<double>()[1] == Approx(8 / (2 * u)));
  const Tensor huge = vector_of({1e4, -1e4}, Dtype::F32), none = vector_of({0, 0}, Dtype::F32);
  CHECK(std::isfinite(compositional_nll(huge, huge, none).item()));
  CHECK(std::isfinite(nce(huge, huge, none, none).item()));
  CHECK_THROWS_WITH(nce(huge, huge, q, q), testing::contains("dtypes differ"));
  CHECK_THROWS_WITH(TrackedCompositionalNll(1), testing::contains("momentum"));
}

TEST_CASE("depict: vectors of the reference sheet, and the target is a constant", "[losses]") {
  for (Dtype dtype : {Dtype::F64, Dtype::F32}) {
    const Tensor z = testing::shared_logits(dtype);
    testing::check_values("DEPICT", 0, depict_target(softmax(z)));
    testing::check_values("DEPICT", 1, depict(z));
  }
  Tensor z = testing::shared_logits(Dtype::F64), fixed = testing::shared_logits(Dtype::F64);
  Tensor q = depict_target(softmax(z));
  q.set_requires_grad(true);
  z.set_requires_grad(true);
  fixed.set_requires_grad(true);
  depict(z).backward();
  depict(fixed, q).backward();
  CHECK(z.grad().to_vector<double>() == fixed.grad().to_vector<double>());
  CHECK(!q.grad().defined());
  // Layers: squared distances per row, both sides differentiated.
  const Tensor a = Tensor::full({4, 2, 3}, 2, Dtype::F64), b = Tensor::ones({4, 2, 3}, Dtype::F64);
  CHECK(depict(z, q, {{a, b}}, {.reconstruction = 0.5}).item() ==
        Approx(depict(z, q).item() + 0.5 * 6));
  CHECK(std::isfinite(depict(z.detach() * 1e4).item()));
  CHECK_THROWS_WITH(depict(z, q, {{a, slice(b, 0, 0, 2)}}), testing::contains("[depict]"));
}

TEST_CASE("noprop_local: squared distance to the label's embedding", "[losses]") {
  Tensor u = testing::matrix({{1, 2}, {0, 0}}, Dtype::F64);
  Tensor e = testing::matrix({{0, 0}, {3, 4}, {1, 1}}, Dtype::F64);
  u.set_requires_grad(true);
  e.set_requires_grad(true);
  const Tensor loss = noprop_local(u, e, testing::labels_of({0, 1}), {.weight = 2});
  CHECK(loss.item() == Approx((5.0 + 25.0) / 2 * 2));
  loss.backward();
  CHECK(u.grad().to_vector<double>() == std::vector<double>{2, 4, -6, -8});
  CHECK(e.grad().to_vector<double>() == std::vector<double>{-2, -4, 6, 8, 0, 0});
  CHECK_THROWS_WITH(noprop_local(u, u, testing::labels_of({0, 5})), testing::contains("5"));
}

}  // namespace ditto
