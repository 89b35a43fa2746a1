#include "nn/optim/ema.h"

#include <cmath>

#include "nn/init.h"
#include "nn/linear.h"
#include "tests/support/catch.h"

namespace ditto::nn {
namespace {

void set(const Tensor& parameter, double value) { parameter.detach().fill_(value); }

}  // namespace

TEST_CASE("ema: averages by its formula, with and without warm-up") {
  for (const bool warmup : {false, true}) {
    Linear layer(2, 1);
    const Tensor weight = layer.parameters()[0];
    set(weight, 1);
    Ema ema(layer, {.decay = 0.9, .warmup = warmup});
    double expected = 1;
    for (int t = 1; t <= 200; ++t) {
      const double value = t % 7;
      set(weight, value);
      ema.update();
      const double decay = warmup ? std::min(0.9, (1.0 + t) / (10.0 + t)) : 0.9;
      expected = decay * expected + (1 - decay) * value;
      REQUIRE(ema.state()[0].tensor.to_vector<double>()[1] == Approx(expected).epsilon(1e-5));
    }
    CHECK(ema.updates() == 200);
    CHECK(ema.state()[0].name == "weight");
    CHECK(ema.state()[1].name == "bias");
  }
}

TEST_CASE("ema: a scope lends the averages to the module and gives the parameters back") {
  Linear layer(3, 2);
  init(layer, 1);
  const Tensor weight = layer.parameters()[0];
  const auto before = weight.to_vector<float>();
  Ema ema(layer, {.decay = 0.5, .warmup = false});
  set(weight, 4);
  ema.update();
  const Tensor x = Tensor::ones({1, 3});
  const auto live = layer(x).to_vector<float>();
  {
    const EmaScope scope(ema);
    for (size_t i = 0; i < before.size(); ++i)
      CHECK(weight.to_vector<float>()[i] == Approx(0.5 * before[i] + 2));
    CHECK(layer(x).to_vector<float>() != live);
  }
  CHECK(weight.to_vector<float>() == std::vector<float>(6, 4.0f));
  CHECK(layer(x).to_vector<float>() == live);
}

TEST_CASE("ema: decay outside [0, 1) is an error") {
  const Linear layer(1, 1);
  for (const double decay : {-0.1, 1.0, 2.0, double(NAN)})
    CHECK_THROWS_WITH(Ema(layer, {.decay = decay}), testing::contains("[ema] decay"));
}

}  // namespace ditto::nn
