#include "losses/tcl.h"

#include "autograd/ops.h"
#include "losses/supcon.h"
#include "tests/losses/pair_checks.h"

namespace ditto::testing {
namespace {

using namespace losses;

const Tensor kLabels = labels_of(kEmbeddingLabels);

TclOptions with(double temperature, double k1, double k2, Reduction reduction = Reduction::Mean) {
  return {.temperature = temperature,
          .k1 = k1,
          .k2 = k2,
          .common = {.normalize = false, .reduction = reduction}};
}

}  // namespace

TEST_CASE("tcl: vectors of the reference sheet", "[losses]") {
  for (Dtype dtype : kFloats) {
    const Tensor z = shared_unit_rows(dtype);
    check_values("TCL", 0, tcl(z, kLabels, with(0.5, 2, 3, Reduction::None)).loss);
    check_vector("TCL", 1, 2, z,
                 [](const Tensor& x) { return tcl(x, kLabels, with(0.5, 2, 3)).loss; });
    check_values("TCL", 3, tcl(z, kLabels, with(0.1, 5000, 1, Reduction::None)).loss, 2e-4);
    check_vector(
        "TCL", 4, 5, z, [](const Tensor& x) { return tcl(x, kLabels, with(0.1, 5000, 1)).loss; },
        2e-4);
  }
}

TEST_CASE("tcl: every anchor has its own denominator, unlike the authors' code", "[losses]") {
  // The code broadcasts the denominators over the columns: entry 7 of the sheet.
  const auto rows = tcl(shared_unit_rows(Dtype::F64), kLabels, with(0.5, 2, 3, Reduction::None))
                        .loss.to_vector<double>();
  const auto broadcast = expected_values("TCL", 7);
  for (size_t i = 0; i < 5; ++i) CHECK(std::fabs(rows[i] - broadcast[i]) > 0.1);
  // Nor is an anchor without a positive 0/0.
  CHECK(rows[5] == 0);
}

TEST_CASE("tcl: the gradient of an anchor's own role is the paper's lemma 2", "[losses]") {
  // dL_0/dz_0 with the other rows as constants: keys of their own.
  for (const Dtype dtype : kFloats) {
    const Tensor z = shared_unit_rows(dtype);
    Tensor anchor = slice(z, 0, 0, 1).clone();
    anchor.set_requires_grad(true);
    const PairRows rows =
        pair_loss_rows("tcl", kernels::Tuned{.temperature = 0.5, .k1 = 2, .k2 = 3},
                       {.a = anchor,
                        .b = slice(z, 0, 1, 6),
                        .query_ids = labels_of({0}),
                        .key_ids = labels_of({0, 1, 1, 0, 2})});
    sum(rows.loss).backward();
    check_values("TCL", 6, reshape(anchor.grad(), {3}));
  }
}

TEST_CASE("tcl: k1 = 0 and k2 = 1 is SupCon", "[losses]") {
  Tensor a = shared_unit_rows(Dtype::F64).clone(), b = a.clone();
  a.set_requires_grad(true);
  b.set_requires_grad(true);
  const Tensor tuned = tcl(a, kLabels, with(0.3, 0, 1)).loss;
  const Tensor plain =
      supcon(b, kLabels, {.temperature = 0.3, .common = {.normalize = false}}).loss;
  CHECK(tuned.item() == Approx(plain.item()).epsilon(1e-14));
  tuned.backward();
  plain.backward();
  const auto ga = a.grad().to_vector<double>(), gb = b.grad().to_vector<double>();
  for (size_t i = 0; i < ga.size(); ++i) CHECK(ga[i] == Approx(gb[i]).margin(1e-14));
}

TEST_CASE("tcl: three views of a sample are positives of each other", "[losses]") {
  // Six rows: two samples in three views, as the paper's self-supervised triplets.
  const PairLoss result =
      tcl(shared_unit_rows(Dtype::F64), view_ids(2, 3, kCpu), with(0.5, 2, 3, Reduction::None));
  CHECK(result.valid.item() == 6);
  // Row 0 directly: positives 2 and 4, negatives 1, 3 and 5.
  const auto z = shared_unit_rows(Dtype::F64).to_vector<double>();
  double d = 0, pulled = 0;
  for (size_t j = 1; j < 6; ++j) {
    const double s = z[0] * z[3 * j] + z[1] * z[3 * j + 1] + z[2] * z[3 * j + 2];
    d += j % 2 == 0 ? std::exp(s / 0.5) + 2 * std::exp(-s) : 3 * std::exp(s / 0.5);
    if (j % 2 == 0) pulled += s / 0.5 / 2;
  }
  CHECK(result.loss.to_vector<double>()[0] == Approx(std::log(d) - pulled).epsilon(1e-13));
}

TEST_CASE("tcl: finite for every finite input", "[losses]") {
  for (double k1 : {0.0, 5000.0, 1e5})
    check_always_finite([=](const Tensor& z, const Tensor& labels, bool normalize) {
      return tcl(z, labels,
                 {.temperature = 0.01, .k1 = k1, .k2 = 3, .common = {.normalize = normalize}});
    });
}

}  // namespace ditto::testing
