#include "core/rng.h"

#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "core/error.h"
#include "tests/support/catch.h"

namespace ditto {
namespace {

using testing::contains;
using Block = std::array<uint32_t, 4>;

constexpr int kMany = 200'000;

// Mean and central moments of kMany draws; seeds are fixed, so these tests give the same numbers
// every time.
struct Moments {
  double mean = 0, variance = 0, skewness = 0, kurtosis = 0, low = INFINITY, high = -INFINITY;
};
Moments moments_of(const std::function<double(Rng&)>& draw) {
  Rng rng(1234);
  std::vector<double> values(kMany);
  Moments m;
  for (double& value : values) {
    value = draw(rng);
    m.mean += value / kMany;
    m.low = std::min(m.low, value);
    m.high = std::max(m.high, value);
  }
  for (double value : values) {
    const double d = value - m.mean;
    m.variance += d * d / kMany;
    m.skewness += d * d * d / kMany;
    m.kurtosis += d * d * d * d / kMany;
  }
  m.skewness /= std::pow(m.variance, 1.5);
  m.kurtosis /= m.variance * m.variance;
  return m;
}

// The statistic sum (seen - expected)^2 / expected of equally likely bins.
double chi_square(const std::vector<int>& seen) {
  const double expected = static_cast<double>(std::accumulate(seen.begin(), seen.end(), 0)) /
                          static_cast<double>(seen.size());
  double sum = 0;
  for (int n : seen) sum += (n - expected) * (n - expected) / expected;
  return sum;
}

}  // namespace

TEST_CASE("Philox4x32-10 gives the known answers of Random123") {
  // kat_vectors of https://github.com/DEShawResearch/random123, philox4x32 with 10 rounds.
  REQUIRE(philox4x32({0, 0, 0, 0}, 0) == Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  REQUIRE(philox4x32({~0u, ~0u, ~0u, ~0u}, ~uint64_t{0}) ==
          Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  REQUIRE(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822) ==
          Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a stream is the blocks of its counter, draw by draw") {
  const uint64_t seed = 0x1122334455667788;
  Rng rng(seed, Purpose::Augment, 7, 5, 3);
  for (uint32_t draw = 0; draw < 3; ++draw) {
    const Block block = philox4x32({draw, 7, 5 << 8 | 3, 2}, seed);
    for (uint32_t word : block) REQUIRE(rng.bits() == word);
  }
}

TEST_CASE("seed, purpose, sample, epoch and replica each give another stream") {
  std::map<uint32_t, std::string> first;
  const auto add = [&](const std::string& name, Rng rng) {
    INFO(name);
    REQUIRE(first.emplace(rng.bits(), name).second);
  };
  add("base", Rng(1));
  add("seed", Rng(2));
  add("high seed", Rng(uint64_t{1} << 32));
  for (Purpose purpose :
       {Purpose::Init, Purpose::Shuffle, Purpose::Augment, Purpose::Mix, Purpose::Dropout})
    add("purpose", Rng(1, purpose));
  add("sample", Rng(1, Purpose::User, 1));
  add("epoch", Rng(1, Purpose::User, 0, 1));
  add("replica", Rng(1, Purpose::User, 0, 0, 1));
  add("limits", Rng(1, Purpose::User, UINT32_MAX, (1 << 24) - 1, 255));
}

TEST_CASE("parts of the counter that do not fit are refused") {
  REQUIRE_THROWS_WITH(Rng(1, Purpose::User, uint64_t{1} << 32), contains("[rng] sample, epoch"));
  REQUIRE_THROWS_WITH(Rng(1, Purpose::User, 0, 1 << 24), contains("out of range: 0 16777216 0"));
  REQUIRE_THROWS_WITH(Rng(1, Purpose::User, 0, 0, 256), contains("out of range"));
}

TEST_CASE("uniform numbers fill [0, 1) evenly") {
  for (const std::function<double(Rng&)>& draw :
       {std::function<double(Rng&)>([](Rng& rng) { return rng.uniform(); }),
        std::function<double(Rng&)>([](Rng& rng) { return rng.uniform_float(); })}) {
    const Moments m = moments_of(draw);
    REQUIRE(m.low >= 0);
    REQUIRE(m.high < 1);
    REQUIRE(m.low < 1e-3);
    REQUIRE(m.high > 0.999);
    // Four standard errors: sqrt(1/12 / n) = 6.5e-4.
    REQUIRE(std::fabs(m.mean - 0.5) < 2.6e-3);
    REQUIRE(std::fabs(m.variance - 1.0 / 12) < 1e-3);
    std::vector<int> bins(64);
    Rng rng(99);
    for (int i = 0; i < kMany; ++i) ++bins[static_cast<size_t>(draw(rng) * 64)];
    REQUIRE(chi_square(bins) < 120);  // 63 degrees of freedom: p = 2e-5
  }
  const Moments m = moments_of([](Rng& rng) { return rng.uniform(-3, 5); });
  REQUIRE(m.low >= -3);
  REQUIRE(m.high < 5);
  REQUIRE(m.mean == Approx(1.0).margin(0.03));
}

TEST_CASE("normal numbers have the moments 0, 1, 0, 3") {
  const Moments m = moments_of([](Rng& rng) { return rng.normal(); });
  REQUIRE(m.mean == Approx(0).margin(0.01));
  REQUIRE(m.variance == Approx(1).margin(0.015));
  REQUIRE(m.skewness == Approx(0).margin(0.025));
  REQUIRE(m.kurtosis == Approx(3).margin(0.05));
  REQUIRE(m.high > 4);
  REQUIRE(m.low < -4);
}

TEST_CASE("gamma numbers have mean and variance of their shape") {
  for (double shape : {0.1, 0.5, 1.0, 2.5, 30.0}) {
    INFO(shape);
    const Moments m = moments_of([&](Rng& rng) { return rng.gamma(shape); });
    REQUIRE(m.low >= 0);
    REQUIRE(m.mean == Approx(shape).epsilon(0.03));
    REQUIRE(m.variance == Approx(shape).epsilon(0.06));
    REQUIRE(m.skewness == Approx(2 / std::sqrt(shape)).epsilon(0.12));
  }
  Rng rng(1);
  REQUIRE_THROWS_WITH(rng.gamma(0), contains("[rng] gamma needs shape > 0, got 0"));
  REQUIRE_THROWS_WITH(rng.gamma(-1), contains("got -1"));
  REQUIRE_THROWS_WITH(rng.gamma(NAN), contains("got nan"));
}

TEST_CASE("beta numbers have mean and variance of their parameters") {
  for (const auto& [a, b] : {std::pair{1.0, 1.0}, {0.2, 0.2}, {2.0, 5.0}, {0.5, 3.0}, {8.0, 8.0}}) {
    INFO(a << ", " << b);
    const Moments m = moments_of([&, a = a, b = b](Rng& rng) { return rng.beta(a, b); });
    REQUIRE(m.low >= 0);
    REQUIRE(m.high <= 1);
    REQUIRE(m.mean == Approx(a / (a + b)).margin(0.005));
    REQUIRE(m.variance == Approx(a * b / ((a + b) * (a + b) * (a + b + 1))).margin(0.003));
  }
  // So small that both gammas underflow: all mass at the ends, never NaN.
  const Moments m = moments_of([](Rng& rng) { return rng.beta(1e-4, 3e-4); });
  REQUIRE(m.mean == Approx(0.25).margin(0.005));
  REQUIRE(m.variance == Approx(0.25 * 0.75).margin(0.005));
}

TEST_CASE("below(n) is uniform on 0..n-1, without modulo bias") {
  Rng rng(5);
  REQUIRE(rng.below(1) == 0);
  for (uint64_t n : {2, 6, 10, 97}) {
    INFO(n);
    std::vector<int> seen(n);
    for (int i = 0; i < kMany; ++i) {
      const uint64_t value = rng.below(n);
      REQUIRE(value < n);
      ++seen[value];
    }
    const double degrees = static_cast<double>(n - 1);
    REQUIRE(chi_square(seen) < degrees + 5 * std::sqrt(2 * degrees) + 10);
  }
  // Of 3 * 2^62 numbers the lowest third would come half of the time by a plain modulo.
  const uint64_t third = uint64_t{1} << 62;
  int low = 0;
  for (int i = 0; i < kMany; ++i) low += rng.below(3 * third) < third;
  REQUIRE(static_cast<double>(low) / kMany == Approx(1.0 / 3).margin(0.005));
  REQUIRE_THROWS_WITH(rng.below(0), contains("[rng] below(n) needs n >= 1"));
}

TEST_CASE("chance(p) comes with probability p") {
  Rng rng(6);
  int hits = 0;
  for (int i = 0; i < kMany; ++i) hits += rng.chance(0.3);
  REQUIRE(static_cast<double>(hits) / kMany == Approx(0.3).margin(0.005));
  for (int i = 0; i < 1000; ++i) {
    REQUIRE_FALSE(rng.chance(0));
    REQUIRE(rng.chance(1));
  }
}

TEST_CASE("a shuffle makes every order equally likely") {
  std::map<std::vector<int>, int> orders;
  Rng rng(7);
  for (int i = 0; i < 24'000; ++i) {
    std::vector<int> values{0, 1, 2, 3};
    rng.shuffle(std::span<int>(values));
    ++orders[values];
  }
  REQUIRE(orders.size() == 24);
  std::vector<int> seen;
  for (const auto& [order, n] : orders) seen.push_back(n);
  REQUIRE(chi_square(seen) < 60);  // 23 degrees of freedom: p = 4e-5
}

TEST_CASE("names hash as FNV-1a") {
  // Test vectors of the FNV page (Noll).
  REQUIRE(hash_name("") == 0xcbf29ce484222325);
  REQUIRE(hash_name("a") == 0xaf63dc4c8601ec8c);
  REQUIRE(hash_name("foobar") == 0x85944171f73967e8);
}

}  // namespace ditto
