#include "losses/lacln.h"

#include "autograd/ops.h"
#include "losses/ce_supcon.h"
#include "losses/cross_entropy.h"
#include "tests/losses/pair_checks.h"

namespace ditto::testing {
namespace {

using namespace losses;

const Tensor kLabels = labels_of(kEmbeddingLabels);

LaclnOptions with(bool through_weights, Reduction reduction = Reduction::Mean,
                  bool log_positives = true) {
  return {.temperature = 0.5,
          .through_weights = through_weights,
          .log_positives = log_positives,
          .common = {.normalize = false, .reduction = reduction}};
}

}  // namespace

TEST_CASE("lacln: vectors of the reference sheet", "[losses]") {
  for (Dtype dtype : kFloats) {
    const Tensor z = shared_unit_rows(dtype);
    check_values("LACLN", 0, lacln(z, kLabels, with(false, Reduction::None)).loss);
    check_values("LACLN", 1, lacln(z, kLabels, with(false, Reduction::Sum)).loss);
    check_values("LACLN", 3, lacln(z, kLabels, with(false, Reduction::Mean, false)).loss);
    check_vector("LACLN", 2, 4, z,
                 [](const Tensor& x) { return lacln(x, kLabels, with(true)).loss; });
    check_vector("LACLN", 2, 5, z,
                 [](const Tensor& x) { return lacln(x, kLabels, with(false)).loss; });
  }
}

TEST_CASE("lacln: no positive leaks into the weighted sum", "[losses]") {
  // A third party's version weighs positives too: entry 9 of the sheet.
  const auto rows = lacln(shared_unit_rows(Dtype::F64), kLabels, with(false, Reduction::None))
                        .loss.to_vector<double>();
  const auto leaking = expected_values("LACLN", 9);
  for (size_t i = 0; i < 5; ++i) CHECK(std::fabs(rows[i] - leaking[i]) > 0.01);
}

TEST_CASE("lacln: detached weights carry no gradient", "[losses]") {
  // Each negative's coefficient is then r q_n / tau > 0: an easy negative is never attracted. One
  // anchor, keys of their own: a positive, an easy and a hard negative.
  for (bool through : {false, true}) {
    Tensor keys = matrix({{0, 1, 0}, {-1, 0, 0}, {0.9, 0, 0}}, Dtype::F64);
    keys.set_requires_grad(true);
    const kernels::HardNegative math{.temperature = 0.5, .through_weights = through};
    sum(pair_loss_rows("lacln", math,
                       {.a = matrix({{1, 0, 0}}, Dtype::F64),
                        .b = keys,
                        .query_ids = labels_of({0}),
                        .key_ids = labels_of({0, 1, 1})})
            .loss)
        .backward();
    const double easy = keys.grad().to_vector<double>()[3];
    CHECK((through ? easy < 0 : easy > 0));
  }
}

TEST_CASE("lacln: equally similar negatives have weight 1; orthogonal classes", "[losses]") {
  const Tensor z = matrix({{1, 0}, {1, 0}, {0, 1}, {0, 1}}, Dtype::F64);
  const double expected = -std::log(std::exp(2.0) / (std::exp(2.0) + 2));
  CHECK(lacln(z, labels_of({0, 0, 1, 1})).loss.item() == Approx(expected).epsilon(1e-14));
}

TEST_CASE("clce: vectors of the reference sheet, lambda 0 and 1", "[losses]") {
  for (Dtype dtype : kFloats) {
    const Tensor z = shared_unit_rows(dtype), logits = shared_norm3(dtype);
    check_values("LACLN", 6, cross_entropy(logits, kLabels));
    check_values("LACLN", 7, clce(logits, z, kLabels, {.lacln = with(false)}).loss);
    check_values("LACLN", 8, clce(logits, z, kLabels, {.lacln = with(false, Reduction::Sum)}).loss);
    CHECK(clce(logits, z, kLabels, {.lambda = 0}).loss.item() ==
          cross_entropy(logits, kLabels).item());
    CHECK(clce(logits, z, kLabels, {.lambda = 1}).loss.item() == lacln(z, kLabels).loss.item());
    const double expected = 0.1 * cross_entropy(logits, kLabels).item() +
                            0.9 * supcon(z, kLabels, {.temperature = 0.5}).loss.item();
    CHECK(ce_supcon(logits, z, kLabels).loss.item() == Approx(expected).epsilon(1e-6));
  }
}

TEST_CASE("lacln: finite for every finite input", "[losses]") {
  for (bool through : {false, true})
    check_always_finite([=](const Tensor& z, const Tensor& labels, bool normalize) {
      return lacln(
          z, labels,
          {.temperature = 0.01, .through_weights = through, .common = {.normalize = normalize}});
    });
}

}  // namespace ditto::testing
