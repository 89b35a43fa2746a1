#include "losses/loss_transform.h"

#include <cmath>
#include <cstring>

#include "autograd/ops.h"
#include "tests/support/catch.h"
#include "tests/support/loss_vectors.h"

namespace ditto {
using losses::cross_entropy;
using losses::GroupMixing;
using losses::loss_transform;
using losses::LossTransformOptions;

namespace {

Tensor ids(std::vector<int64_t> values) {
  const int64_t n = static_cast<int64_t>(values.size());
  return Tensor::from(values, {n});
}
Tensor soft_labels(Dtype dtype) {
  return testing::matrix({{.7, .3, 0}, {.1, .8, .1}, {0, .25, .75}, {.5, 0, .5}}, dtype);
}
Tensor tracked_logits(Dtype dtype) {
  Tensor z = testing::shared_logits(dtype);
  z.set_requires_grad(true);
  return z;
}

}  // namespace

TEST_CASE("loss_transform: vectors of the reference sheet", "[losses]") {
  using namespace testing;
  const LossTransformOptions detached{.rho = 0.5}, literal{.rho = 0.5, .anchor_grad = true};
  for (Dtype dtype : {Dtype::F64, Dtype::F32}) {
    struct Case {
      int first;
      Tensor target, groups;
    };
    const Case cases[] = {{0, ids({0, 0, 2, 2}), ids({0, 0, 1, 1})},
                          {5, ids({0, 0, 0, 2}), ids({0, 0, 0, 1})},
                          {10, soft_labels(dtype), ids({0, 0, 1, 1})}};
    for (const Case& c : cases) {
      check_vector("T(CE)", c.first, c.first + 3, dtype, [&](const Tensor& z) {
        return loss_transform(z, c.target, c.groups, detached);
      });
      check_vector("T(CE)", c.first, c.first + 4, dtype,
                   [&](const Tensor& z) { return loss_transform(z, c.target, c.groups, literal); });
      check_values("T(CE)", c.first + 1, mean(group_kl(shared_logits(dtype), c.groups)));
      check_values("T(CE)", c.first + 2, group_anchor(shared_logits(dtype), c.groups));
    }
    check_values("T(CE)", 15,
                 loss_transform(shared_logits(dtype), soft_labels(dtype), ids({0, 0, 1, 1}),
                                {.rho = 0.5, .mixing = GroupMixing::PseudoLabel}));
  }
}

TEST_CASE("loss_transform: identical replicas and groups of one give plain cross-entropy",
          "[losses]") {
  const Tensor row = testing::matrix({{1, -.5, .25}}, Dtype::F64);
  const Tensor same = concat({row, row, row}, 0), y = ids({1, 1, 1});
  CHECK(loss_transform(same, y, ids({4, 4, 4})).item() ==
        Approx(cross_entropy(same, y).item()).epsilon(1e-14));
  const Tensor z = testing::shared_logits(Dtype::F64), labels = ids({0, 1, 2, 2});
  CHECK(loss_transform(z, labels, ids({3, 1, 2, 0})).item() ==
        Approx(cross_entropy(z, labels).item()).epsilon(1e-14));
}

TEST_CASE("loss_transform: rho 0 is cross-entropy bit for bit", "[losses]") {
  for (Dtype dtype : {Dtype::F32, Dtype::F64}) {
    Tensor a = tracked_logits(dtype), b = tracked_logits(dtype);
    const Tensor y = ids({0, 0, 2, 2});
    const Tensor plain = cross_entropy(a, y);
    const Tensor transformed = loss_transform(b, y, ids({0, 0, 1, 1}), {.rho = 0});
    plain.backward();
    transformed.backward();
    CHECK(plain.item() == transformed.item());
    CHECK(a.grad().to_vector<double>() == b.grad().to_vector<double>());
  }
}

TEST_CASE("loss_transform: rows may come in any order", "[losses]") {
  const Tensor z = testing::shared_logits(Dtype::F64), y = ids({0, 1, 2, 0}),
               groups = ids({5, 9, 5, 9});
  const Tensor order = ids({2, 0, 3, 1});
  const auto pick = [&](const std::vector<int64_t>& v) { return ids({v[2], v[0], v[3], v[1]}); };
  CHECK(loss_transform(index_select(z, order), pick({0, 1, 2, 0}), pick({5, 9, 5, 9})).item() ==
        Approx(loss_transform(z, y, groups).item()).epsilon(1e-14));
}

TEST_CASE("loss_transform: the KL term is not negative and its gradient sums to zero", "[losses]") {
  for (bool anchor_grad : {false, true}) {
    Tensor z = tracked_logits(Dtype::F64);
    const Tensor kl = group_kl(z, ids({0, 0, 0, 1}), Tensor(), {.anchor_grad = anchor_grad});
    for (double v : kl.detach().to_vector<double>()) CHECK(v >= 0);
    CHECK(kl.detach().to_vector<double>()[3] == 0);  // alone in its group
    sum(kl).backward();
    for (double v : sum(z.grad(), 1).to_vector<double>()) CHECK(std::fabs(v) < 1e-15);
  }
}

TEST_CASE("loss_transform: the detached anchor carries no gradient", "[losses]") {
  // d KL_i / d z_j = 0 for j != i while the anchor is a constant, although pbar depends on z_j.
  Tensor z = tracked_logits(Dtype::F64);
  const Tensor kl = group_kl(z, ids({0, 0, 0, 0}));
  slice(kl, 0, 1, 2).backward();
  const auto g = z.grad().to_vector<double>();
  for (size_t i = 0; i < g.size(); ++i) CHECK((g[i] != 0) == (i / 3 == 1));
}

TEST_CASE("loss_transform: detached form is (1 + rho) CE against the blended target", "[losses]") {
  const Tensor y = soft_labels(Dtype::F64), groups = ids({0, 0, 1, 1});
  const double rho = 0.5;
  Tensor a = tracked_logits(Dtype::F64), b = tracked_logits(Dtype::F64);
  loss_transform(a, y, groups, {.rho = rho}).backward();
  const Tensor blended = (y + group_anchor(b, groups) * rho) / (1 + rho);
  (cross_entropy(b, blended) * (1 + rho)).backward();
  const auto ga = a.grad().to_vector<double>(), gb = b.grad().to_vector<double>();
  for (size_t i = 0; i < ga.size(); ++i) CHECK(ga[i] == Approx(gb[i]).margin(1e-16));
}

TEST_CASE("loss_transform: overlap weights equal uniform ones when labels agree", "[losses]") {
  const Tensor z = testing::shared_logits(Dtype::F64), groups = ids({0, 0, 1, 1});
  const Tensor y = testing::matrix({{.7, .3, 0}, {.7, .3, 0}, {0, 0, 1}, {0, 0, 1}}, Dtype::F64);
  const double uniform = loss_transform(z, y, groups).item();
  CHECK(loss_transform(z, y, groups, {.mixing = GroupMixing::LabelOverlap}).item() ==
        Approx(uniform).epsilon(1e-14));
  // Disjoint labels do not pair at all: plain cross-entropy.
  const Tensor disjoint = testing::matrix({{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 0, 0}}, Dtype::F64);
  CHECK(loss_transform(z, disjoint, groups, {.mixing = GroupMixing::LabelOverlap}).item() ==
        Approx(cross_entropy(z, disjoint).item()).epsilon(1e-14));
}

TEST_CASE("loss_transform: overlap weights against a direct evaluation", "[losses]") {
  // Rows 0 and 1: overlap sum_c min = .1 + .3 + 0 = .4, self overlap 1: pbar_0 = (p_0 + .4 p_1)
  // / 1.4.
  const Tensor z = testing::shared_logits(Dtype::F64), y = soft_labels(Dtype::F64);
  const auto p = softmax(z).to_vector<double>();
  const auto anchor = group_anchor(z, ids({0, 0, 1, 1}), y).to_vector<double>();
  for (size_t c = 0; c < 3; ++c)
    CHECK(anchor[c] == Approx((p[c] + 0.4 * p[3 + c]) / 1.4).epsilon(1e-13));
}

TEST_CASE("loss_transform: extreme logits stay finite", "[losses]") {
  for (Dtype dtype : {Dtype::F32, Dtype::F64})
    for (bool anchor_grad : {false, true}) {
      Tensor z = testing::matrix({{1e4, -1e4, 0}, {-1e4, 1e4, 0}, {0, 0, 1e4}, {0, 0, 0}}, dtype);
      z.set_requires_grad(true);
      const Tensor loss =
          loss_transform(z, ids({0, 1, 2, 2}), ids({0, 0, 0, 0}), {.anchor_grad = anchor_grad});
      loss.backward();
      CHECK(std::isfinite(loss.item()));
      for (double g : z.grad().to_vector<double>()) CHECK(std::isfinite(g));
    }
}

TEST_CASE("loss_transform: a NaN prediction shows in the KL of its whole group", "[losses]") {
  const double nan = std::nan("");
  const Tensor z = testing::matrix({{nan, 0, 0}, {1, 2, 3}, {1, 0, 0}, {nan, 1, 1}}, Dtype::F64);
  const auto kl = group_kl(z, ids({0, 0, 1, 2})).to_vector<double>();
  CHECK(std::isnan(kl[0]));
  CHECK(std::isnan(kl[1]));
  CHECK(kl[2] == 0);
  CHECK(std::isnan(kl[3]));
}

TEST_CASE("loss_transform: every label must be a class", "[losses]") {
  CHECK_THROWS_WITH(
      loss_transform(testing::shared_logits(Dtype::F64), ids({0, -100, 2, 2}), ids({0, 0, 1, 1})),
      testing::contains("label -100 of row 1"));
}

TEST_CASE("loss_transform: bad input is an error with the value", "[losses]") {
  const Tensor z = testing::shared_logits(Dtype::F32), y = ids({0, 0, 2, 2});
  CHECK_THROWS_WITH(loss_transform(z, y, ids({0, 0})), testing::contains("[group_kl]"));
  CHECK_THROWS_WITH(loss_transform(z, y, Tensor()), testing::contains("[group_kl]"));
  CHECK_THROWS_WITH(loss_transform(z, y, y, {.rho = -1}), testing::contains("-1"));
  CHECK_THROWS_WITH(losses::group_mixing("d5"), testing::contains("d5"));
}

}  // namespace ditto
