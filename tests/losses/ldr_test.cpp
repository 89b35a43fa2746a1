// LDR-KL, ALDR-KL and Z-loss.
#include "losses/ldr.h"

#include <cmath>

#include "autograd/ops.h"
#include "losses/z_loss.h"
#include "tests/support/catch.h"
#include "tests/support/loss_vectors.h"

namespace ditto {
using namespace losses;

namespace {

Tensor labels() { return testing::labels_of({0, 1, 2, 2}); }
const LdrOptions kCore{.margin = 1, .lambda = 0.7, .normalize = LdrNormalize::None};
const AldrOptions kAldrCore{.smoothing = 0, .normalize = LdrNormalize::None};

void check_finite(const Tensor& x, const std::function<Tensor(const Tensor&)>& f) {
  Tensor z = x.detach().clone();
  z.set_requires_grad(true);
  const Tensor loss = f(z);
  loss.backward();
  CHECK(std::isfinite(loss.item()));
  for (double g : z.grad().to_vector<double>()) CHECK(std::isfinite(g));
}

}  // namespace

TEST_CASE("z_loss: vectors of the reference sheet", "[losses]") {
  for (Dtype dtype : {Dtype::F64, Dtype::F32}) {
    const auto loss = [](const Tensor& z) { return z_loss(z, labels(), {.a = 1.5}); };
    testing::check_vector("Z-loss", 0, 1, dtype, loss);
    testing::check_values("Z-loss", 2, loss(testing::shared_logits(dtype) * 3.0 - 7.0));
  }
}

TEST_CASE("z_loss: finite for equal, huge and single outputs; soft targets average the classes",
          "[losses]") {
  for (Dtype dtype : {Dtype::F32, Dtype::F64})
    for (double scale : {0.0, 1e4, -1e4})
      check_finite(testing::shared_logits(dtype) * scale,
                   [](const Tensor& z) { return z_loss(z, labels()); });
  check_finite(testing::matrix({{7}}, Dtype::F64),
               [](const Tensor& z) { return z_loss(z, testing::labels_of({0})); });
  // Equal outputs: z = 0.
  CHECK(z_loss(Tensor::full({2, 3}, 5, Dtype::F64), testing::labels_of({0, 1})).item() ==
        Approx(std::log1p(std::exp(1.0))));
  const Tensor z = testing::shared_logits(Dtype::F64);
  const Tensor y = one_hot(labels(), 3, Dtype::F64) * 0.5 +
                   one_hot(testing::labels_of({1, 1, 0, 0}), 3, Dtype::F64) * 0.5;
  CHECK(z_loss(z, y).item() == Approx(0.5 * z_loss(z, labels()).item() +
                                      0.5 * z_loss(z, testing::labels_of({1, 1, 0, 0})).item()));
  CHECK_THROWS_WITH(z_loss(z, labels(), {.a = 0}), testing::contains("[z_loss]"));
}

TEST_CASE("ldr: vectors of the reference sheet", "[losses]") {
  using namespace testing;
  for (Dtype dtype : {Dtype::F64, Dtype::F32}) {
    check_vector("LDR", 0, 1, dtype, [](const Tensor& z) { return ldr(z, labels(), kCore); });
    check_vector("LDR", 2, 3, dtype, [](const Tensor& z) { return ldr(z, labels()); });
    const Tensor z = shared_logits(dtype), ones = Tensor::ones({4}, dtype);
    const Tensor lambda = aldr_lambda(z, ones, kAldrCore);
    check_values("LDR", 4, lambda);
    check_vector("LDR", 5, 6, dtype,
                 [&](const Tensor& v) { return aldr_loss(v, labels(), lambda, kAldrCore); });
    check_values("LDR", 7, aldr_lambda(z, ones));
    SampleTable table(10, 1);
    check_values("LDR", 8, aldr(z, labels(), labels_of({3, 1, 7, 9}), table));
  }
}

TEST_CASE("ldr: cross-entropy less log K, and the hinge in the limit", "[losses]") {
  const Tensor z = testing::shared_logits(Dtype::F64);
  CHECK(ldr(z, labels(), {.margin = 0, .normalize = LdrNormalize::None}).item() ==
        Approx(cross_entropy(z, labels()).item() - std::log(3.0)));
  const auto v = z.to_vector<double>();
  const auto y = labels().to_vector<int64_t>();
  double hinge = 0;
  for (size_t i = 0; i < 4; ++i) {
    double worst = 0;
    for (size_t k = 0; k < 3; ++k) {
      const auto own = static_cast<size_t>(y[i]);
      worst = std::max(worst, v[i * 3 + k] - v[i * 3 + own] + (k == own ? 0 : 1));
    }
    hinge += worst / 4;
  }
  CHECK(ldr(z, labels(), {.margin = 1, .lambda = 1e-4, .normalize = LdrNormalize::None}).item() ==
        Approx(hinge).margin(2e-4));
}

TEST_CASE("aldr: lambdas belong to samples, are constants, and only training changes them",
          "[losses]") {
  const Tensor z = testing::shared_logits(Dtype::F64), ids = testing::labels_of({3, 1, 7, 9});
  SampleTable table(10, 1);
  {
    NoGrad guard;
    aldr(z, labels(), ids, table);
  }
  CHECK(table.read(testing::labels_of({0, 1, 3, 7, 9}), z).to_vector<double>() ==
        std::vector<double>(5, 1));
  aldr(z, labels(), ids, table);
  const auto expected = aldr_lambda(z, Tensor::ones({4}, Dtype::F64)).to_vector<double>();
  CHECK(table.read(ids, z).to_vector<double>() == expected);
  CHECK(table.read(testing::labels_of({0}), z).item() == 1);
  // The same samples in another order find their own lambdas.
  const Tensor turned = testing::labels_of({9, 7, 1, 3});
  CHECK(table.read(turned, z).to_vector<double>() ==
        std::vector<double>(expected.rbegin(), expected.rend()));
  // Detached: the gradient is that of a fixed lambda.
  Tensor lambda = Tensor::from(expected, {4});
  lambda.set_requires_grad(true);
  Tensor tracked = testing::shared_logits(Dtype::F64);
  tracked.set_requires_grad(true);
  aldr_loss(tracked, labels(), lambda).backward();
  CHECK(!lambda.grad().defined());
  CHECK(tracked.grad().defined());
  CHECK_THROWS_WITH(table.read(testing::labels_of({10}), z), testing::contains("id 10 of row 0"));
  CHECK(table.named_buffers().size() == 1);
}

TEST_CASE("ldr, aldr: zero logits (NaN in the authors' code), huge ones, one class, ignored rows",
          "[losses]") {
  for (Dtype dtype : {Dtype::F32, Dtype::F64})
    for (double scale : {0.0, 1e4, -1e4})
      for (LdrNormalize normalize :
           {LdrNormalize::None, LdrNormalize::SoftplusMean, LdrNormalize::L1}) {
        const Tensor z = testing::shared_logits(dtype) * scale;
        check_finite(z, [&](const Tensor& v) {
          return ldr(v, labels(), {.lambda = 0.01, .normalize = normalize});
        });
        check_finite(z, [&](const Tensor& v) {
          SampleTable table(4, 1);
          aldr(v.detach(), labels(), testing::labels_of({0, 1, 2, 3}), table,
               {.normalize = normalize});
          return aldr(v, labels(), testing::labels_of({0, 1, 2, 3}), table,
                      {.normalize = normalize});
        });
      }
  SampleTable table(1, 1);
  const Tensor one = testing::labels_of({0});
  check_finite(testing::matrix({{2}}, Dtype::F64),
               [&](const Tensor& v) { return ldr(v, one) + aldr(v, one, one, table); });
  const Tensor z = testing::shared_logits(Dtype::F64),
               some = testing::labels_of({0, -100, 2, -100});
  const Tensor kept = concat({slice(z, 0, 0, 1), slice(z, 0, 2, 3)}, 0);
  CHECK(ldr(z, some).item() == Approx(ldr(kept, testing::labels_of({0, 2})).item()));
}

TEST_CASE("ldr, aldr: bad input is an error with the value", "[losses]") {
  const Tensor z = testing::shared_logits(Dtype::F32);
  SampleTable table(4, 1);
  CHECK_THROWS_WITH(ldr(z, labels(), {.lambda = 0}), testing::contains("lambda"));
  CHECK_THROWS_WITH(ldr(z, z), testing::contains("hard labels"));
  CHECK_THROWS_WITH(aldr(z, labels(), labels(), table, {.alpha = 0.5}), testing::contains("0.5"));
  CHECK_THROWS_WITH(aldr(z, labels(), z, table), testing::contains("[sample_table]"));
  CHECK_THROWS_WITH(table.write(labels(), z), testing::contains("[sample_table]"));
  CHECK_THROWS_WITH(SampleTable(0, 1), testing::contains("at least one"));
}

}  // namespace ditto
