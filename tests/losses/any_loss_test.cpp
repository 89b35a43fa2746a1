// AnyLoss and EnsLoss.
#include "losses/any_loss.h"

#include <cmath>

#include "autograd/ops.h"
#include "losses/ens_loss.h"
#include "tests/support/catch.h"
#include "tests/support/loss_vectors.h"

namespace ditto {
using namespace losses;

namespace {

Tensor vector_of(const std::vector<double>& values, Dtype dtype = Dtype::F64) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, dtype);
}
const std::vector<double> kP = {.9, .2, .6, .4, .1}, kY = {1, 0, 1, 1, 0};
constexpr AnyMetric kMetrics[] = {AnyMetric::Accuracy, AnyMetric::FBeta, AnyMetric::GMean,
                                  AnyMetric::BalancedAccuracy};

}  // namespace

TEST_CASE("any_loss: vectors of the reference sheet", "[losses]") {
  const int column[] = {0, 1, 2, 4}, gradient[] = {2, 3, 4, 5};
  for (Dtype dtype : {Dtype::F64, Dtype::F32}) {
    const Tensor y = vector_of(kY, dtype);
    for (size_t m = 0; m < 4; ++m) {
      for (int entry : {0, 1}) {
        const double loss =
            any_loss(vector_of(kP, dtype), y,
                     {.metric = kMetrics[m], .amplification = entry == 0 ? 10.0 : 73.0})
                .item();
        const double expected =
            testing::expected_values("AnyLoss", entry)[static_cast<size_t>(column[m])];
        CHECK(std::fabs(loss - expected) <= (dtype == Dtype::F64 ? 1e-9 : 1e-5) * expected);
      }
      testing::check_vector("AnyLoss", -1, gradient[m], vector_of(kP, dtype), [&](const Tensor& p) {
        return any_loss(p, y, {.metric = kMetrics[m], .amplification = 10});
      });
    }
    testing::check_vector("AnyLoss", 6, -1, vector_of(kP, dtype), [&](const Tensor& p) {
      return any_loss(p, y, {.beta = 2, .amplification = 10});
    });
  }
}

TEST_CASE("any_loss: the geometric mean has its root (the extension repository drops it)",
          "[losses]") {
  const double loss =
      any_loss(vector_of(kP), vector_of(kY), {.metric = AnyMetric::GMean, .amplification = 10})
          .item();
  const double rootless = testing::expected_values("AnyLoss", 0)[3];
  CHECK(1 - (1 - loss) * (1 - loss) == Approx(rootless));
}

TEST_CASE("any_loss: batches of one class, and of wrong predictions only", "[losses]") {
  for (AnyMetric metric : kMetrics)
    for (Dtype dtype : {Dtype::F32, Dtype::F64})
      for (const std::vector<double>& y :
           {std::vector<double>{1, 1, 1}, {0, 0, 0}, {1, 0, 1}, {0, 1, 0}})
        for (const std::vector<double>& p :
             {std::vector<double>{0, 1, 0}, {1, 0, 1}, {.5, .5, .5}}) {
          Tensor x = vector_of(p, dtype);
          x.set_requires_grad(true);
          const Tensor loss = any_loss(x, vector_of(y, dtype), {.metric = metric});
          loss.backward();
          CHECK(std::isfinite(loss.item()));
          CHECK(loss.item() >= -1e-6);
          CHECK(loss.item() <= 1 + 1e-6);
          for (double g : x.grad().to_vector<double>()) CHECK(std::isfinite(g));
        }
  // Recall alone is left where nothing is negative.
  const Tensor p = vector_of({.9, .4}), y = vector_of({1, 1});
  const double recall =
      1 - any_loss(p, y, {.metric = AnyMetric::Accuracy, .amplification = 10}).item();
  for (AnyMetric metric : {AnyMetric::GMean, AnyMetric::BalancedAccuracy})
    CHECK(1 - any_loss(p, y, {.metric = metric, .amplification = 10}).item() == Approx(recall));
}

TEST_CASE("any_loss: labels of several classes are one class against the rest", "[losses]") {
  const Tensor z = testing::shared_logits(Dtype::F64), labels = testing::labels_of({0, 1, 1, 0});
  double expected = 0;
  for (int64_t c = 0; c < 2; ++c)  // no row has class 2: it has no F
    expected += 0.5 * any_loss(reshape(slice(sigmoid(z), 1, c, c + 1), {4}),
                               reshape(slice(one_hot(labels, 3, Dtype::F64), 1, c, c + 1), {4}))
                          .item();
  CHECK(any_loss_logits(z, labels).item() == Approx(expected));
  CHECK_THROWS_WITH(any_loss(z, labels), testing::contains("[any_loss]"));
  CHECK_THROWS_WITH(any_loss(z, z, {.beta = 0}), testing::contains("beta"));
}

TEST_CASE("ens_loss: vectors of the reference sheet", "[losses]") {
  const std::vector<double> draws = {-.3, -.9, -.1, -.6}, margins = {.8, -.4, 1.6, .1};
  testing::check_values("EnsLoss", 0, vector_of(ens_loss_derivatives(margins, draws)));
  // Labels give the margins their signs; the gradient is derivative * sign / n.
  const Tensor labels = testing::labels_of({1, -1, 1, 0});
  Tensor f = vector_of({.8, .4, 1.6, -.1});
  f.set_requires_grad(true);
  const Tensor loss = ens_loss(f, labels, {}, draws);
  testing::check_values("EnsLoss", 1, loss);
  testing::check_values("EnsLoss", 1,
                        ens_loss(vector_of({.8, .4, 1.6, -.1}, Dtype::F32), labels, {}, draws));
  loss.backward();
  const auto g = f.grad().to_vector<double>(), d = testing::expected_values("EnsLoss", 0);
  const double sign[] = {1, -1, 1, -1};
  for (size_t i = 0; i < 4; ++i) CHECK(g[i] == Approx(d[i] * sign[i] / 4));
}

TEST_CASE("ens_loss: draws are derivatives of a decreasing loss and depend on seed and step",
          "[losses]") {
  for (uint64_t period = 0; period < 50; ++period)
    for (double g : ens_loss_draws(100, {.seed = 3, .step = period, .period = period})) {
      CHECK(g >= -1);
      CHECK(g <= 0);
    }
  CHECK(ens_loss_draws(9, {.seed = 3}) == ens_loss_draws(9, {.seed = 3}));
  CHECK(ens_loss_draws(9, {.seed = 3}) != ens_loss_draws(9, {.seed = 3, .step = 1}));
  CHECK(ens_loss_draws(9, {.seed = 3}) != ens_loss_draws(9, {.seed = 4}));
  const Tensor huge = vector_of({1e4, -1e4, 0});
  CHECK(std::isfinite(ens_loss(huge, testing::labels_of({1, 1, 0})).item()));
  CHECK_THROWS_WITH(ens_loss(huge, testing::labels_of({1, 2, 0})), testing::contains("2"));
  CHECK_THROWS_WITH(ens_loss(huge, testing::labels_of({1, 1, 0}), {}, {-1}),
                    testing::contains("one draw per margin"));
}

}  // namespace ditto
