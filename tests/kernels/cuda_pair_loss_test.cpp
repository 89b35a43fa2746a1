#include "autograd/ops/pair_loss.h"

#include <cmath>

#include "autograd/ops.h"
#include "autograd/ops/nearest_rows.h"
#include "core/rng.h"
#include "tests/support/cuda.h"
#include "tests/support/loss_vectors.h"
#include "tests/support/small_pair_tiles.h"

#ifdef DITTO_HAS_CUDA

namespace ditto::testing {
namespace {

using namespace kernels;

struct Values {
  std::vector<double> loss, valid, stats, da, db, dinputs;
};

Tensor random_rows(int64_t n, int64_t d, uint64_t seed, Dtype dtype) {
  Rng rng(seed);
  std::vector<double> values(static_cast<size_t>(n * d));
  for (double& v : values) v = rng.uniform(-1, 1);
  return l2_normalize(Tensor::from(values, {n, d}, dtype)).detach();
}

// One loss on a device. `keys`: of their own, else the queries'; classes, and samples to leave out.
Values run(const PairMath& math, bool distance, bool keys, int64_t m, int64_t n, Dtype dtype,
           Device device) {
  Tensor a = random_rows(m, 5, 1, dtype).to(device), b = random_rows(n, 5, 2, dtype).to(device);
  std::vector<int64_t> labels(static_cast<size_t>(n)), samples(labels.size());
  for (size_t i = 0; i < labels.size(); ++i) {
    labels[i] = static_cast<int64_t>(i * i % 7 % 4);
    samples[i] = static_cast<int64_t>(i % 11);
  }
  const auto ids = [&](const std::vector<int64_t>& v, int64_t rows) {
    return labels_of({v.begin(), v.begin() + rows}).to(device);
  };
  a.set_requires_grad(true);
  b.set_requires_grad(true);
  PairTensors tensors{.a = a, .query_ids = ids(labels, m), .query_exclude = ids(samples, m)};
  if (keys) {
    tensors.b = b;
    tensors.key_ids = ids(labels, n);
    tensors.key_exclude = ids(samples, n);
  }
  Tensor inputs;
  if (pair_loss_inputs(math) > 0) {
    std::vector<double> rows(static_cast<size_t>(2 * m));
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = 0.3 + 0.01 * double(i % 9);
    inputs = Tensor::from(rows, {2, m}, dtype).to(device);
    inputs.set_requires_grad(true);
    tensors.inputs = inputs;
  }
  const PairRows rows = pair_loss_rows("pair_loss", math, tensors, distance);
  std::vector<double> g(static_cast<size_t>(m));
  for (size_t i = 0; i < g.size(); ++i) g[i] = std::cos(double(i));
  rows.loss.backward(Tensor::from(g, {m}, dtype).to(device));
  const auto values = [](const Tensor& t) {
    return t.defined() ? t.detach().to_vector<double>() : std::vector<double>();
  };
  return {values(rows.loss),  values(rows.valid),
          values(rows.stats), values(a.grad()),
          values(b.grad()),   inputs.defined() ? values(inputs.grad()) : std::vector<double>()};
}

void check_close(const char* what, const std::vector<double>& x, const std::vector<double>& y,
                 double tolerance) {
  INFO(what);
  REQUIRE(x.size() == y.size());
  double largest = 1e-30;
  for (double v : y) largest = std::isfinite(v) ? std::max(largest, std::fabs(v)) : largest;
  for (size_t i = 0; i < x.size(); ++i)
    if (!(x[i] == y[i])) CHECK(std::fabs(x[i] - y[i]) <= tolerance * largest);
}

}  // namespace

TEST_CASE("pair_loss: every loss on CUDA as on the CPU", "[gpu]") {
  DITTO_NEEDS_CUDA();
  const SmallPairTiles tiles(int64_t{4} << 10);  // 40 rows are several
  const PairMath all[] = {Contrastive{},
                          Contrastive{.form = Contrastive::Form::In},
                          Contrastive{.form = Contrastive::Form::InSum},
                          Tuned{},
                          HardNegative{},
                          HardNegative{.beta = 2, .through_weights = true, .log_positives = true},
                          HardNegative{.beta = 0, .factor = 9},
                          HardContrastive{.fraction = 0.3},
                          HardContrastive{.fixed = true, .threshold = 0.1},
                          SimpleContrastive{},
                          LogSumExp{},
                          LogSumExp{.over = LogSumExp::Over::Positives},
                          LogSumExp{.over = LogSumExp::Over::Negatives},
                          MultiSimilarity{},
                          LogisticRanking{.temperature = 0.5},
                          RobustContrastive{},
                          TripletHard{},
                          TripletHard{.squared = true},
                          OnePositive{}};
  for (const PairMath& math : all)
    for (Dtype dtype : {Dtype::F64, Dtype::F32})
      for (bool keys : {false, true}) {
        const bool distance = std::holds_alternative<TripletHard>(math);
        const int64_t m = keys ? 23 : 40, n = 40;
        INFO(pair_loss_name(math) << " #" << math.index() << ' ' << to_string(dtype) << " keys "
                                  << keys);
        const Values cpu = run(math, distance, keys, m, n, dtype, kCpu);
        const Values cuda = run(math, distance, keys, m, n, dtype, kCuda);
        const double tolerance = dtype == Dtype::F64 ? 1e-12 : 2e-5;
        check_close("loss", cuda.loss, cpu.loss, tolerance);
        check_close("valid", cuda.valid, cpu.valid, 0);
        check_close("stats", cuda.stats, cpu.stats, 10 * tolerance);
        check_close("da", cuda.da, cpu.da, tolerance);
        check_close("db", cuda.db, cpu.db, tolerance);
        check_close("dinputs", cuda.dinputs, cpu.dinputs, tolerance);
      }
}

TEST_CASE("pair_loss: label bits, one row and no row on CUDA", "[gpu]") {
  DITTO_NEEDS_CUDA();
  const Tensor z = random_rows(9, 4, 3, Dtype::F64);
  std::vector<double> hot(9 * 70);
  for (size_t i = 0; i < 9; ++i) hot[i * 70 + i % 3 * 33] = hot[i * 70 + i % 2 * 34] = 1;
  const auto loss = [&](int64_t n, Device device) {
    const Tensor bits = label_bits("pair_loss", slice(Tensor::from(hot, {9, 70}), 0, 0, n));
    return sum(pair_loss_rows("pair_loss", Contrastive{},
                              {.a = slice(z, 0, 0, n).to(device), .query_ids = bits.to(device)})
                   .loss)
        .item();
  };
  for (int64_t n : {9, 1, 0}) CHECK(loss(n, kCuda) == Approx(loss(n, kCpu)).epsilon(1e-12));
}

TEST_CASE("l2_normalize and nearest_rows: CUDA as CPU", "[gpu]") {
  DITTO_NEEDS_CUDA();
  for (Dtype dtype : {Dtype::F64, Dtype::F32})
    for (int64_t d : {1, 31, 33, 100}) {
      Tensor x = (random_rows(37, d, 4, dtype) * 3.0).detach();
      const auto run_on = [&](Device device) {
        Tensor leaf = x.to(device).clone();
        leaf.set_requires_grad(true);
        const Tensor y = l2_normalize(leaf);
        sum(y * y * y).backward();
        auto values = y.detach().to_vector<double>();
        for (double g : leaf.grad().to_vector<double>()) values.push_back(g);
        return values;
      };
      check_close("l2_normalize", run_on(kCuda), run_on(kCpu), dtype == Dtype::F64 ? 1e-14 : 2e-6);
      if (dtype == Dtype::F64)
        CHECK(nearest_rows(x.to(kCuda), 6).to_vector<int64_t>() ==
              nearest_rows(x, 6).to_vector<int64_t>());
    }
  const Tensor ties = matrix({{0, 0}, {1, 0}, {1, 0}, {3, 0}, {0, 0}}, Dtype::F32);
  CHECK(nearest_rows(ties.to(kCuda), 4).to_vector<int64_t>() ==
        nearest_rows(ties, 4).to_vector<int64_t>());
}

}  // namespace ditto::testing

#endif
