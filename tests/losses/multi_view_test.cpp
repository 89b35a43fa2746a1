#include "losses/multi_view.h"

#include <algorithm>
#include <map>

#include "autograd/ops.h"
#include "losses/amcl.h"
#include "losses/hydra.h"
#include "losses/info_nce.h"
#include "nn/init.h"
#include "tests/losses/pair_checks.h"
#include "tests/support/small_pair_tiles.h"

namespace ditto::testing {
namespace {

using namespace losses;

const PairOptions kAsGiven{.normalize = false};

}  // namespace

TEST_CASE("mv_info_nce and mv_dhel: vectors of the reference sheet", "[losses]") {
  for (Dtype dtype : kFloats) {
    const Tensor u = shared_unit_rows(dtype);
    check_vector("MV", 0, 2, u,
                 [](const Tensor& z) { return mv_info_nce(z, 3, {.common = kAsGiven}).loss; });
    check_values("MV", 1, mv_info_nce(u, 3, {.other_views_only = true, .common = kAsGiven}).loss);
    check_vector("MV", 3, 4, u,
                 [](const Tensor& z) { return mv_dhel(z, 3, {.common = kAsGiven}).loss; });
    check_values("MV", 5, mv_dhel(u, 3, {.ordered_pairs = true, .common = kAsGiven}).loss);
  }
}

TEST_CASE("mv_info_nce and mv_dhel: hot temperatures, long rows, few samples", "[losses]") {
  for (Dtype dtype : kFloats)
    for (double norm : {1e-12, 1.0, 1e6})
      for (bool normalize : {true, false}) {
        Tensor z = (shared_unit_rows(dtype) * norm).detach();
        z.set_requires_grad(true);
        const PairOptions common{.normalize = normalize};
        const Tensor total = mv_info_nce(z, 3, {.temperature = 0.01, .common = common}).loss +
                             mv_dhel(z, 2, {.temperature = 0.01, .common = common}).loss +
                             mv_info_nce(z, 6, {.temperature = 0.01, .common = common}).loss;
        CHECK(std::isfinite(total.item()));
        total.backward();
        for (double g : z.grad().to_vector<double>()) CHECK(std::isfinite(g));
      }
  const Tensor z = shared_unit_rows(Dtype::F32);
  CHECK_THROWS_WITH(mv_dhel(z, 6), contains("[mv_dhel]") && contains("two samples"));
  CHECK_THROWS_WITH(mv_info_nce(z, 4), contains("[mv_info_nce]"));
}

TEST_CASE("amcl: vectors of the reference sheet", "[losses]") {
  for (Dtype dtype : kFloats) {
    const Tensor z1 = shared_unit_rows(dtype);
    const auto e = shared_unit_rows(Dtype::F64).to_vector<double>();
    std::vector<double> turned, tau1, tau2;
    for (size_t i = 0; i < 6; ++i) {
      for (double v : {e[3 * i + 2], -e[3 * i], e[3 * i + 1]}) turned.push_back(v);
      for (size_t j = 0; j < 6; ++j) {
        tau1.push_back(0.4 + 0.02 * double(i + j));
        tau2.push_back(0.6 - 0.01 * double(i + j));
      }
    }
    const Tensor z2 = Tensor::from(turned, {6, 3}, dtype);
    check_values("AMCL", 1, z2);
    const Tensors heads = {z1, z2}, temperatures = {Tensor::from(tau1, {6, 6}, dtype),
                                                    Tensor::from(tau2, {6, 6}, dtype)};
    const Tensor samples = view_ids(3, 2, kCpu);
    check_values("AMCL", 0, amcl(heads, temperatures, samples, {.normalize = false}));
    check_values("AMCL", 2, amcl(heads, temperatures, samples, {.beta = 0, .normalize = false}));
    // One head with one temperature is NT-Xent.
    CHECK(amcl({z1}, {Tensor::full({6, 6}, 0.5, dtype)}, samples, {.beta = 0}).item() ==
          Approx(nt_xent(z1, samples).loss.item()).epsilon(1e-6));
  }
}

TEST_CASE("amcl: heads in blocks of rows give the loss of the whole matrices", "[losses]") {
  // A tile holds the hidden numbers of 5 rows of 60 pairs.
  const SmallPairTiles tiles(int64_t{20} << 10);
  constexpr int64_t n = 60, d = 4;
  AmclHeads heads(2, d);
  nn::init(heads, 1);
  std::map<std::string, Tensor> w;
  for (const nn::NamedParameter& p : heads.named_parameters()) w[p.name] = p.tensor;
  Tensor z = random_rows(n, d, Dtype::F32);
  z.set_requires_grad(true);
  const Tensor samples = view_ids(n / 2, 2, kCpu);

  Tensors projected, temperatures;
  for (const std::string head : {"head0_", "head1_"}) {
    const auto layer = [&](const std::string& name, const Tensor& x) {
      const auto bias = w.find(head + name + ".bias");
      return linear(x, w.at(head + name + ".weight"), bias == w.end() ? Tensor() : bias->second);
    };
    projected.push_back(layer("project", z));
    const Tensor x = l2_normalize(projected.back());
    const Tensor pairs =
        reshape(layer("own", x), {n, 1, 16}) + reshape(layer("other", x), {1, n, 16});
    const Tensor score = layer("temperature", reshape(relu(pairs), {n * n, 16}));
    temperatures.push_back(sigmoid(reshape(score, {n, n})) * (2 - 1e-5) + 1e-5);
  }
  const Tensor whole = amcl(projected, temperatures, samples);
  whole.backward();
  std::map<std::string, std::vector<double>> expected;
  w["z"] = z;
  for (const auto& [name, tensor] : w) {
    expected[name] = tensor.grad().to_vector<double>();
    tensor.zero_grad();
  }
  const Tensor parts = heads(z, samples);
  parts.backward();
  CHECK(parts.item() == Approx(whole.item()).epsilon(1e-5));
  for (const auto& [name, tensor] : w) {
    INFO(name);
    const auto got = tensor.grad().to_vector<double>();
    double largest = 0;
    for (double g : expected[name]) largest = std::max(largest, std::fabs(g));
    CHECK(largest > 0);
    for (size_t i = 0; i < got.size(); ++i)
      CHECK(std::fabs(got[i] - expected[name][i]) <= 2e-4 * largest);
  }
}

TEST_CASE("hydra: against a direct evaluation", "[losses]") {
  const Tensor z = shared_unit_rows(Dtype::F64), y = labels_of({0, 0, 1, 1, 2, 2});
  const Tensor gates = matrix({{.9, .2, .5}, {.3, .8, .6}}, Dtype::F64);
  const std::vector<std::pair<int64_t, int64_t>> classes = {{0, 1}, {2, 2}};
  const auto v = z.to_vector<double>(), g = gates.to_vector<double>();
  double expected = 0;
  for (size_t pair = 0; pair < 2; ++pair) {
    const auto cosine = [&](size_t i, size_t j) {
      double dot = 0, a = 0, b = 0;
      for (size_t c = 0; c < 3; ++c) {
        const double p = v[3 * i + c] * g[3 * pair + c], q = v[3 * j + c] * g[3 * pair + c];
        dot += p * q;
        a += p * p;
        b += q * q;
      }
      return dot / std::sqrt(a * b) / 0.1;
    };
    const auto in = [&](size_t i, int64_t label) { return y.to_vector<int64_t>()[i] == label; };
    double sum = 0, count = 0;
    for (size_t i = 0; i < 6; ++i)
      for (size_t j = 0; j < 6; ++j) {
        const auto [a, b] = classes[pair];
        if (i == j || !((in(i, a) && in(j, b)) || (in(i, b) && in(j, a)))) continue;
        double all = std::exp(cosine(i, j));
        for (size_t n = 0; n < 6; ++n)
          if (!in(n, a) && !in(n, b)) all += std::exp(cosine(i, n));
        sum += std::log(all) - cosine(i, j);
        ++count;
      }
    expected += sum / count / 2;
  }
  const PairLoss result = hydra(z, y, gates, classes);
  CHECK(result.loss.item() == Approx(expected).epsilon(1e-12));
  CHECK(result.valid.item() == 2);
  // A pair of classes that the batch has not adds nothing.
  CHECK(hydra(z, y, gates, {{0, 7}, {8, 8}}).loss.item() == 0);
  CHECK_THROWS_WITH(hydra(z, y, gates, {{0, 1}}), contains("[hydra] gates"));
}

TEST_CASE("hydra: gates of label embeddings learn, and are symmetric in the classes", "[losses]") {
  HydraGate gate(3, 4, 8, 3);
  nn::init(gate, 1);
  const Tensor one = gate({{0, 2}}), other = gate({{2, 0}});
  CHECK(one.detach().to_vector<double>() == other.detach().to_vector<double>());
  hydra(shared_unit_rows(Dtype::F32), labels_of({0, 0, 1, 1, 2, 2}), one, {{0, 2}}).loss.backward();
  double moved = 0;
  for (const Tensor& p : gate.parameters())
    for (double d : p.grad().to_vector<double>()) moved += std::fabs(d);
  CHECK(moved > 0);
  CHECK_THROWS_WITH(gate({{0, 3}}), contains("[hydra] class 3"));
}

}  // namespace ditto::testing
