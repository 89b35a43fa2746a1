#include "autograd/profiler.h"

#include <chrono>
#include <thread>

#include "autograd/apply.h"
#include "autograd/ops.h"
#include "losses/cross_entropy.h"
#include "models/resnet_cifar.h"
#include "nn/init.h"
#include "tests/support/catch.h"

namespace ditto {
namespace {

const ProfileRow* find(const std::vector<ProfileRow>& rows, const std::string& name) {
  for (const ProfileRow& row : rows)
    if (row.name == name) return &row;
  return nullptr;
}

void sleep_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

// Sleeps 20 ms forward, of which 10 in an op inside, and 30 ms backward.
class InnerFunction final : public Function {
 public:
  const char* name() const override { return "inner"; }
  Tensor forward(const Tensors& inputs) {
    sleep_ms(10);
    return inputs[0].clone();
  }
  Tensors backward(const Tensors& grads) override { return {grads[0]}; }
  void release() override {}
};
class SlowFunction final : public Function {
 public:
  const char* name() const override { return "slow"; }
  Tensor forward(const Tensors& inputs) {
    sleep_ms(10);
    return apply<InnerFunction>(inputs);
  }
  Tensors backward(const Tensors& grads) override {
    sleep_ms(30);
    return {grads[0]};
  }
  void release() override {}
};

class SlowLayer : public nn::Layer {
 public:
  Tensor forward(const Tensor& x) override { return apply<SlowFunction>({x}); }
};
class TwoLayers : public nn::Layer {
 public:
  Tensor forward(const Tensor& x) override { return second_(x * 2.0); }

 private:
  SlowLayer& second_ = child<SlowLayer>("second");
};

}  // namespace

TEST_CASE("an op's time is its own, forward and backward apart, booked to its layer") {
  Profiler profiler;
  TwoLayers model;
  nn::name_layers(profiler, model);
  Tensor x = Tensor::ones({2});
  x.set_requires_grad(true);
  sum(model(x)).backward();

  const auto ops = profiler.by_op();
  const ProfileRow* slow = find(ops, "slow");
  const ProfileRow* inner = find(ops, "inner");
  REQUIRE(slow);
  REQUIRE(inner);
  REQUIRE(ops[0].name == "slow");  // the most expensive comes first
  REQUIRE(slow->calls == 1);
  REQUIRE(inner->calls == 1);
  // Sleeps last at least as long as asked; the inner op's time is not counted twice.
  REQUIRE(slow->forward >= 0.010);
  REQUIRE(inner->forward >= 0.010);
  REQUIRE(slow->backward >= 0.030);
  REQUIRE(profiler.total() >= slow->total() + inner->total());

  const auto layers = profiler.by_layer();
  const ProfileRow* second = find(layers, "second");
  REQUIRE(second);
  REQUIRE(second->calls == 1);
  REQUIRE(second->forward >= 0.020);
  REQUIRE(second->backward >= 0.030);
  REQUIRE(find(layers, "(model)"));  // the multiplication
  REQUIRE(find(layers, "(other)"));  // the sum outside
}

TEST_CASE("layers and ops account for the same time") {
  models::ResNetCifar model({.depth = 8});
  nn::init(model, 1);
  Profiler profiler;
  nn::name_layers(profiler, model);
  const Tensor images = Tensor::ones({2, 32, 32, 3});
  const Tensor labels = Tensor::from<int64_t>({1, 2}, {2});
  for (int i = 0; i < 2; ++i) losses::cross_entropy(model(images), labels).backward();
  double layers = 0;
  for (const ProfileRow& row : profiler.by_layer()) layers += row.total();
  REQUIRE(layers == Approx(profiler.total()));
  const auto rows = profiler.by_layer();
  for (const char* name : {"conv1", "bn1", "layer1.0.conv1", "layer3.0.bn2", "fc"}) {
    INFO(name);
    const ProfileRow* row = find(rows, name);
    REQUIRE(row);
    REQUIRE(row->calls == 2);
    REQUIRE(row->forward > 0);
    REQUIRE(row->backward > 0);
  }
  const auto ops = profiler.by_op();
  const ProfileRow* convolution = find(ops, "conv2d");
  REQUIRE(convolution);
  REQUIRE(convolution->calls == 2 * 7);
}

TEST_CASE("regions are counted while a profiler runs, and nothing is without one") {
  {
    Profiler outer;
    {
      Profiler inner;
      { ProfileRegion region("loader"); }
      {
        ProfilePause pause;
        ProfileRegion region("evaluation");
      }
      REQUIRE(inner.by_op().size() == 1);
      REQUIRE(find(inner.by_op(), "loader"));
      inner.reset();
      REQUIRE(inner.by_op().empty());
    }
    REQUIRE(Profiler::current() == &outer);
    REQUIRE(outer.by_op().empty());
  }
  REQUIRE(Profiler::current() == nullptr);
  { ProfileRegion region("nobody listens"); }
}

}  // namespace ditto
