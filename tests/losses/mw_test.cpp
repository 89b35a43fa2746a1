#include "losses/mw.h"

#include "autograd/ops.h"
#include "losses/robust_contrastive.h"
#include "nn/state_dict.h"
#include "tests/losses/pair_checks.h"
#include "tests/support/small_pair_tiles.h"

namespace ditto::testing {
namespace {

using namespace losses;

}  // namespace

TEST_CASE("mw_loss: vectors of the reference sheet", "[losses]") {
  for (Dtype dtype : kFloats) {
    const Tensor s = shared_scores(dtype);
    check_vector("MW", 0, 1, s,
                 [](const Tensor& scores) { return mw_loss_in_batch(scores, {.temperature = 1}); });
    const auto loss = [&](double temperature, MwReduction reduction, bool per_query = false) {
      return mw_loss_in_batch(
          s, {.temperature = temperature, .reduction = reduction, .per_query = per_query});
    };
    check_values("MW", 2, loss(1, MwReduction::Paper));
    check_values("MW", 3, loss(0.1, MwReduction::PairMean), 2e-4);
    check_values("MW", 4, loss(0.01, MwReduction::Paper), 2e-4);
    check_values("MW", 5, loss(1, MwReduction::PairMean, true));
  }
}

TEST_CASE("mw_loss: at small temperatures it tells the area under the curve of the sheet's scores",
          "[losses]") {
  // softplus(-d / tau) tau is max(0, -d) in the limit: a loss of 0 says that no pair is in the
  // wrong order, and for |d| = 1 the loss counts those that are.
  const Tensor s = shared_scores(Dtype::F64);
  const auto values = s.to_vector<double>();
  double right = 0;
  for (size_t p = 0; p < 3; ++p)
    for (size_t i = 0; i < 9; ++i)
      if (i % 4 != 0) right += values[p * 4] > values[i] ? 1 : values[p * 4] == values[i] ? 0.5 : 0;
  check_values("MW", 6, Tensor::scalar(right / 18, Dtype::F64));
  CHECK(mw_loss_in_batch(s, {.temperature = 1e-3}).item() < 1e-6);
  const Tensor ones = Tensor::from(std::vector<double>{1, 1, 0}, {3}),
               lower = Tensor::from(std::vector<double>{0, 1}, {2});
  // One of six pairs in the wrong order, three equal.
  CHECK(mw_loss(ones, lower, {.temperature = 1e-3}).item() * 1e-3 ==
        Approx(1 / 6.0 + 3 * 1e-3 * std::log(2.0) / 6).epsilon(1e-9));
}

TEST_CASE("mw_loss: of pairs, in blocks of rows, is that of the matrix of scores", "[losses]") {
  // A tile holds the indices of 7 rows of 70 scores.
  const SmallPairTiles tiles(int64_t{8} << 10);
  for (const int64_t rows : {5, 60}) {
    Tensor q = random_rows(rows, 3), k = random_rows(rows + 10, 3);
    q.set_requires_grad(true);
    k.set_requires_grad(true);
    for (const bool per_query : {true, false}) {
      if (!per_query && rows > 100) continue;  // half a billion terms
      const MwOptions options{.temperature = 0.5, .per_query = per_query};
      const Tensor whole = mw_loss_in_batch(matmul(q, transpose(k, 0, 1)), options);
      whole.backward();
      const auto dq = q.grad().to_vector<double>(), dk = k.grad().to_vector<double>();
      q.zero_grad();
      k.zero_grad();
      const Tensor parts = mw_loss_of_pairs(q, k, options);
      parts.backward();
      CHECK(parts.item() == Approx(whole.item()).epsilon(1e-12));
      const auto eq = q.grad().to_vector<double>(), ek = k.grad().to_vector<double>();
      for (size_t i = 0; i < dq.size(); ++i) CHECK(eq[i] == Approx(dq[i]).margin(1e-12));
      for (size_t i = 0; i < dk.size(); ++i) CHECK(ek[i] == Approx(dk[i]).margin(1e-12));
      q.zero_grad();
      k.zero_grad();
    }
  }
  CHECK_THROWS_WITH(mw_loss_of_pairs(Tensor::zeros({3, 2}), Tensor::zeros({2, 2})),
                    contains("[mw_loss]") && contains("(3, 2)"));
}

TEST_CASE("mw_loss: bounds the area over the curve; nothing to rank gives 0", "[losses]") {
  std::vector<double> p, n;
  for (int i = 0; i < 40; ++i) p.push_back(std::sin(i * 1.3) + 0.4), n.push_back(std::sin(i * 2.1));
  double wrong = 0;
  for (double a : p)
    for (double b : n) wrong += a < b;
  const Tensor positives = Tensor::from(p, {40}), negatives = Tensor::from(n, {40});
  for (double temperature : {0.01, 0.1, 1.0})
    CHECK(wrong / 1600 <=
          mw_loss(positives, negatives, {.temperature = temperature}).item() / std::log(2.0));
  const Tensor none = Tensor::zeros({0}, Dtype::F64);
  CHECK(mw_loss(none, negatives).item() == 0);
  CHECK(mw_loss(positives, none).item() == 0);
  // Scores of 1e6 at a temperature of 0.01.
  CHECK(std::isfinite(mw_loss((negatives * 1e6).detach(), positives).item()));
}

TEST_CASE("robust_contrastive: vectors of the reference sheet", "[losses]") {
  // Queries (0, h) times the identity: the positive has similarity 0, the negatives h.
  for (Dtype dtype : kFloats) {
    std::vector<std::vector<double>> unit(5, std::vector<double>(5));
    for (size_t i = 0; i < 5; ++i) unit[i][i] = 1;
    Tensor h = matrix({{0, -.4, .1, -.9, -.2}, {0, .3, -.6, -.1, -.5}}, dtype);
    h.set_requires_grad(true);
    Tensor inputs = Tensor::from(std::vector<double>{.3, .5, -INFINITY, -INFINITY}, {2, 2}, dtype);
    inputs.set_requires_grad(true);
    const PairRows rows = pair_loss_rows("robust_contrastive", kernels::RobustContrastive{},
                                         {.a = h,
                                          .b = matrix(unit, dtype),
                                          .query_ids = labels_of({0, 0}),
                                          .key_ids = labels_of({0, 1, 1, 1, 1}),
                                          .inputs = inputs});
    check_values("RGCL", 0, mean(rows.loss));
    sum(rows.loss).backward();
    const Tensor dh = slice(h.grad(), 1, 1, 5) / 2;
    check_values("RGCL", 1, dh);
    check_values("RGCL", 2, reshape(slice(inputs.grad(), 0, 0, 1), {2}) / 2);
  }
}

TEST_CASE("robust_contrastive: state moves by sample id, in training only, and is saved",
          "[losses]") {
  RobustContrastiveLoss loss(10);
  const Tensor z = shared_unit_rows(Dtype::F32), samples = labels_of({7, 2, 5, 7, 2, 5});
  loss.eval();
  loss(z, samples);
  for (double t : loss.temperatures().to_vector<double>()) CHECK(t == Approx(0.7));
  loss.train();
  const double before = loss(z, samples).loss.item();
  const auto tau = loss.temperatures().to_vector<double>();
  for (size_t id = 0; id < 10; ++id) {
    const bool visited = id == 7 || id == 2 || id == 5;
    if (!visited) CHECK(tau[id] == Approx(0.7));
  }
  // All three parts of the state are in the state dict.
  CHECK(loss.named_buffers().size() == 3);
  // A second visit averages u: another loss gradient, the same value up to the temperatures.
  CHECK(std::fabs(loss(z, samples).loss.item() - before) < 0.1);
  CHECK_THROWS_WITH(loss(z, labels_of({7, 2, 5, 7, 2, 10})),
                    contains("[robust_contrastive] sample id 10"));
  for (int step = 0; step < 2000; ++step) loss(z, samples);
  for (double t : loss.temperatures().to_vector<double>()) {
    CHECK(t >= 0.05f);
    CHECK(t <= 0.7f);
  }
}

TEST_CASE("robust_contrastive: finite for every finite input", "[losses]") {
  check_always_finite([](const Tensor& z, const Tensor& labels, bool normalize) {
    RobustContrastiveLoss loss(
        6,
        {.initial_temperature = 0.05, .min_temperature = 0.01, .common = {.normalize = normalize}});
    loss(z, labels);
    return loss(z, labels);
  });
}

}  // namespace ditto::testing
