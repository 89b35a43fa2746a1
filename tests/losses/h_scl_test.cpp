#include "losses/h_scl.h"

#include "autograd/ops.h"
#include "tests/losses/pair_checks.h"

namespace ditto::testing {
namespace {

using namespace losses;

const Tensor kSamples = view_ids(3, 2, kCpu), kLabels = labels_of({0, 1, 0, 0, 1, 0});

HSclOptions with(double beta) { return {.beta = beta, .common = {.normalize = false}}; }

}  // namespace

TEST_CASE("h_scl: vectors of the reference sheet", "[losses]") {
  for (Dtype dtype : kFloats) {
    const Tensor z = shared_unit_rows(dtype);
    check_vector("H-SCL", 0, 1, z,
                 [](const Tensor& x) { return h_scl(x, kSamples, kLabels, with(1)).loss; });
    check_values("H-SCL", 2, h_scl(z, kSamples, kLabels, with(0)).loss);
    check_values("H-SCL", 3, h_scl(z, kSamples, kLabels, with(5)).loss);
  }
}

TEST_CASE("h_scl: rows of the anchor's class are neither positive nor negative", "[losses]") {
  // Row 2 has the class of row 0 and is not its other view: it only enters the rows of others.
  Tensor z = shared_unit_rows(Dtype::F64).clone();
  z.set_requires_grad(true);
  slice(h_scl(z, kSamples, kLabels, {.common = {.normalize = false, .reduction = Reduction::None}})
            .loss,
        0, 0, 1)
      .backward(Tensor::ones({1}, Dtype::F64));
  const auto g = z.grad().to_vector<double>();
  for (size_t c = 0; c < 3; ++c) {
    CHECK(g[2 * 3 + c] == 0);
    CHECK(g[5 * 3 + c] == 0);
    CHECK(g[1 * 3 + c] != 0);
  }
}

TEST_CASE("h_scl: importance weights are constants", "[losses]") {
  // d log B / ds_n is then softmax((1 + beta) s / tau), so the pushes of one anchor add up to its
  // pull.
  const Tensor keys = matrix({{.3, 0}, {.8, 0}, {-.2, 0}}, Dtype::F64);
  Tensor anchor = matrix({{1, 0}}, Dtype::F64), tracked = keys.clone();
  tracked.set_requires_grad(true);
  sum(pair_loss_rows(
          "h_scl", kernels::HardNegative{.beta = 5, .factor = 4},
          {.a = anchor, .b = tracked, .query_ids = labels_of({0}), .key_ids = labels_of({0, 1, 2})})
          .loss)
      .backward();
  const auto g = tracked.grad().to_vector<double>();
  CHECK(g[0] < 0);
  CHECK(g[0] + g[2] + g[4] == Approx(0).margin(1e-15));
}

TEST_CASE("h_scl: a batch of one class adds nothing instead of 0/0", "[losses]") {
  const PairLoss result =
      h_scl(shared_unit_rows(Dtype::F64), kSamples, labels_of({4, 4, 4, 4, 4, 4}));
  CHECK(result.loss.item() == 0);
  CHECK(result.valid.item() == 0);
  for (double beta : {0.0, 5.0})
    check_always_finite([=](const Tensor& z, const Tensor& labels, bool normalize) {
      const int64_t n = z.dim(0);
      return h_scl(z, n % 2 == 0 ? view_ids(n / 2, 2, kCpu) : labels, labels,
                   {.temperature = 0.01, .beta = beta, .common = {.normalize = normalize}});
    });
}

}  // namespace ditto::testing
