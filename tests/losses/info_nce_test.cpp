#include "losses/info_nce.h"

#include "autograd/ops.h"
#include "tests/losses/pair_checks.h"

namespace ditto::testing {
namespace {

using namespace losses;

const PairOptions kAsGiven{.normalize = false};
const Tensor kTwoViews = view_ids(3, 2, kCpu);

Tensor identity(Dtype dtype) { return matrix({{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, dtype); }

}  // namespace

TEST_CASE("nt_xent: vectors of the reference sheet", "[losses]") {
  for (Dtype dtype : kFloats) {
    check_vector("NT-Xent", 0, 1, shared_unit_rows(dtype), [](const Tensor& z) {
      return nt_xent(z, kTwoViews, {.temperature = 0.5, .common = kAsGiven}).loss;
    });
    check_vector(
        "NT-Xent", 2, -1, shared_unit_rows(dtype),
        [](const Tensor& z) {
          return nt_xent(z, kTwoViews, {.temperature = 0.1, .common = kAsGiven}).loss;
        },
        2e-4);
    check_values("NT-Xent", 3, nt_xent(Tensor::ones({6, 4}, dtype), kTwoViews).loss);
  }
}

TEST_CASE("nt_xent: the pair of a row with itself has no gradient", "[losses]") {
  // With the self pair in the denominator (Lightning-Bolts issue 695) the loss of two equal views
  // would be log 2 instead of log 1, and rows would be pushed along themselves.
  Tensor z = matrix({{1, 0}, {1, 0}}, Dtype::F64);
  z.set_requires_grad(true);
  const PairLoss result = nt_xent(z, labels_of({7, 7}), {.common = kAsGiven});
  CHECK(result.loss.item() == 0);
  result.loss.backward();
  for (double g : z.grad().to_vector<double>()) CHECK(g == 0);
}

TEST_CASE("info_nce, hard and simple: vectors of the reference sheet", "[losses]") {
  // Queries times the identity are the sheet's similarities.
  for (Dtype dtype : kFloats) {
    const Tensor s = shared_scores(dtype), keys = identity(dtype);
    check_values("InfoNCE-behaviour", 0,
                 info_nce(s, keys, {.temperature = 0.5, .common = kAsGiven}).loss);
    check_values(
        "InfoNCE-behaviour", 1,
        hard_contrastive(s, keys,
                         {.temperature = 0.5, .fixed = true, .threshold = 0.05, .common = kAsGiven})
            .loss);
    check_values("InfoNCE-behaviour", 2,
                 simple_contrastive(s, keys, {.lambda = 0.5, .common = kAsGiven}).loss);
  }
}

TEST_CASE("info_nce: of a batch and its views is half of nt_xent's terms", "[losses]") {
  // Both directions of info_nce leave out the negatives of an anchor's own view.
  const Tensor z = shared_unit_rows(Dtype::F64);
  const Tensor a = slice(z, 0, 0, 3), b = slice(z, 0, 3, 6);
  const double both = (info_nce(a, b, {.temperature = 0.5}).loss.item() +
                       info_nce(b, a, {.temperature = 0.5}).loss.item()) /
                      2;
  CHECK(both < nt_xent(z, kTwoViews).loss.item());
}

TEST_CASE("hard_contrastive: a fraction keeps the hardest negatives", "[losses]") {
  for (Dtype dtype : kFloats) {
    // One query with nine negatives of different similarity.
    const Tensor query = matrix({{1, .3, .1, .4, .2, .9, .5, .8, .7, .6}}, dtype);
    std::vector<std::vector<double>> unit(10, std::vector<double>(10));
    for (size_t i = 0; i < 10; ++i) unit[i][i] = 1;
    const Tensor keys = matrix(unit, dtype);
    for (int kept = 1; kept <= 9; ++kept) {
      double sum = std::exp(1 / 0.2);
      for (int k = 0; k < kept; ++k) sum += std::exp((0.9 - 0.1 * k) / 0.2);
      const double loss =
          hard_contrastive(query, keys,
                           {.temperature = 0.2, .fraction = kept / 9.0 - 0.01, .common = kAsGiven})
              .loss.item();
      CHECK(loss == Approx(std::log(sum) - 1 / 0.2).epsilon(dtype == Dtype::F64 ? 1e-12 : 1e-5));
    }
  }
  // All of them: InfoNCE.
  const Tensor s = shared_scores(Dtype::F64), keys = identity(Dtype::F64);
  CHECK(hard_contrastive(s, keys, {.temperature = 0.5, .fraction = 1}).loss.item() ==
        Approx(info_nce(s, keys, {.temperature = 0.5}).loss.item()).epsilon(1e-14));
}

TEST_CASE("nt_xent and info_nce: finite for every finite input", "[losses]") {
  const auto as_pairs = [](auto f) {
    return [=](const Tensor& z, const Tensor& labels, bool normalize) {
      // Queries against all rows; row i is its own positive.
      return z.dim(0) > 1 ? f(z, z, normalize) : nt_xent(z, labels);
    };
  };
  check_always_finite([](const Tensor& z, const Tensor& labels, bool normalize) {
    return nt_xent(z, labels, {.temperature = 0.01, .common = {.normalize = normalize}});
  });
  check_always_finite(as_pairs([](const Tensor& a, const Tensor& b, bool normalize) {
    return info_nce(a, b, {.temperature = 0.01, .common = {.normalize = normalize}});
  }));
  check_always_finite(as_pairs([](const Tensor& a, const Tensor& b, bool normalize) {
    return hard_contrastive(a, b, {.temperature = 0.01, .common = {.normalize = normalize}});
  }));
  check_always_finite(as_pairs([](const Tensor& a, const Tensor& b, bool normalize) {
    return simple_contrastive(a, b, {.common = {.normalize = normalize}});
  }));
}

}  // namespace ditto::testing
