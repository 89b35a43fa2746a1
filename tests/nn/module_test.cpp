#include "nn/module.h"

#include <cmath>

#include "autograd/ops.h"
#include "nn/activation.h"
#include "nn/batch_norm.h"
#include "nn/conv2d.h"
#include "nn/dropout.h"
#include "nn/linear.h"
#include "nn/sequential.h"
#include "nn/state_dict.h"
#include "tests/support/catch.h"

namespace ditto::nn {
namespace {

class Net : public Layer {
 public:
  Net()
      : conv_(child<Conv2d>("conv", 2, 4, 3, Conv2dOptions{.padding = 1})),
        bn_(child<BatchNorm2d>("bn", 4)),
        head_(child<Sequential>("head")) {
    head_.add<Flatten>();
    head_.add<Linear>(4 * 3 * 5, 7, LinearOptions{.flattened_image = {3, 5, 4}});
  }
  Tensor forward(const Tensor& x) override { return head_(bn_.relu(conv_(x))); }

 private:
  Conv2d& conv_;
  BatchNorm2d& bn_;
  Sequential& head_;
};

std::vector<std::string> names_of(const std::vector<NamedParameter>& list) {
  std::vector<std::string> names;
  for (const auto& p : list) names.push_back(p.name);
  return names;
}

Tensor input() {
  Tensor x = Tensor::empty({2, 3, 5, 2});
  for (int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = std::sin(0.7f * float(i));
  return x;
}

}  // namespace

TEST_CASE("module: names are dotted and in registration order", "[nn]") {
  Net net;
  CHECK(names_of(net.named_parameters()) ==
        std::vector<std::string>{"conv.weight", "conv.bias", "bn.weight", "bn.bias",
                                 "head.1.weight", "head.1.bias"});
  CHECK(names_of(net.named_buffers()) ==
        std::vector<std::string>{"bn.running_mean", "bn.running_var", "bn.num_batches_tracked"});
  CHECK(net.parameter_count() == 4 * 9 * 2 + 4 + 8 + 7 * 60 + 7);
}

TEST_CASE("module: a name taken twice or with a dot is an error", "[nn]") {
  class Twice : public Module {
   public:
    Twice() {
      child<BatchNorm2d>("bn", 2);
      child<BatchNorm2d>("bn", 2);
    }
  };
  class Dotted : public Module {
   public:
    Dotted() { child<BatchNorm2d>("a.b", 2); }
  };
  CHECK_THROWS_WITH(Twice(), testing::contains("taken: bn"));
  CHECK_THROWS_WITH(Dotted(), testing::contains("a.b"));
}

TEST_CASE("init: depends on seed and name alone, with the right spread", "[nn]") {
  Net a, b, c;
  init(a, 1);
  init(b, 1);
  init(c, 2);
  const auto values = [](const Module& m, size_t i) {
    return m.parameters()[i].detach().to_vector<float>();
  };
  CHECK(values(a, 0) == values(b, 0));
  CHECK(values(a, 0) != values(c, 0));

  Conv2d wide(64, 128, 3);
  init(wide, 3);
  double sum = 0, squares = 0;
  const auto w = values(wide, 0);
  for (float v : w) {
    sum += v;
    squares += double(v) * v;
  }
  const double n = double(w.size()), expected = 2.0 / (128 * 9);
  CHECK(std::fabs(sum / n) < 4 * std::sqrt(expected / n));
  CHECK(squares / n == Approx(expected).epsilon(0.02));
}

TEST_CASE("state_dict: PyTorch's order in files, exact round trip", "[nn]") {
  Net a, b;
  init(a, 5);
  init(b, 6);
  a(input());  // moves the running statistics
  const auto state = state_dict(a);
  CHECK(state[0].tensor.shape() == Shape{4, 2, 3, 3});  // (O, I, kH, kW)
  const Tensor w = a.parameters()[0].detach();          // (O, kH, kW, I)
  CHECK(state[0].tensor.data<float>()[(1 * 2 + 1) * 9 + 5] == w.data<float>()[(9 + 5) * 2 + 1]);
  // Linear after flatten: file column (c, h, w) is memory column (h, w, c).
  const Tensor fc = a.parameters()[4].detach();
  CHECK(state[4].tensor.data<float>()[2 * 15 + 1 * 5 + 3] == fc.data<float>()[(1 * 5 + 3) * 4 + 2]);
  CHECK(load_state_dict(b, state).ok());
  a.eval();
  b.eval();
  CHECK(a(input()).detach().to_vector<float>() == b(input()).detach().to_vector<float>());
}

TEST_CASE("load_state_dict: reports everything and changes nothing when strict", "[nn]") {
  Net net;
  init(net, 1);
  const auto before = net.parameters()[2].detach().to_vector<float>();
  std::vector<StateEntry> entries = state_dict(net);
  entries[2].tensor.fill_(9);                       // would change bn.weight
  entries[0].tensor = Tensor::zeros({4, 3, 3, 2});  // memory order: wrong in a file
  entries.erase(entries.begin() + 5);
  entries.push_back({"extra", Tensor::zeros({1})});
  CHECK_THROWS_WITH(
      load_state_dict(net, entries),
      testing::contains("missing: head.1.bias; unexpected: extra; mismatched: conv.weight"));
  CHECK(net.parameters()[2].detach().to_vector<float>() == before);
  const LoadReport report = load_state_dict(net, entries, false);
  CHECK(report.missing == std::vector<std::string>{"head.1.bias"});
  CHECK(net.parameters()[2].detach().to_vector<float>() == std::vector<float>(4, 9.0f));
}

TEST_CASE("load_state_dict: a head that does not fit is left out as a whole", "[nn]") {
  Net source, net;
  init(source, 1);
  init(net, 2);
  const std::vector<Tensor> mine = net.parameters();
  const auto head = mine[4].detach().to_vector<float>(), bias = mine[5].detach().to_vector<float>();
  std::vector<StateEntry> entries = state_dict(source);
  REQUIRE(entries[4].name == "head.1.weight");
  Shape other = entries[4].tensor.shape();
  other[1] += 1;
  entries[4].tensor = Tensor::zeros(other);
  CHECK_THROWS_WITH(load_state_dict(net, entries), testing::contains("mismatched: head.1.weight"));
  entries.push_back({"head.2.weight", Tensor::zeros({1})});
  const LoadReport report = load_state_dict(net, entries, true, {"head."});
  CHECK(report.loaded.size() == entries.size() - 3);
  CHECK(report.unexpected == std::vector<std::string>{"head.2.weight"});
  REQUIRE(report.mismatched.size() == 2);
  CHECK_THAT(report.mismatched[0], testing::contains("head.1.weight (model f32"));
  CHECK_THAT(report.mismatched[1], testing::contains("head.1.bias (the rest of head."));
  CHECK(mine[4].detach().to_vector<float>() == head);
  CHECK(mine[5].detach().to_vector<float>() == bias);
  CHECK(mine[0].detach().to_vector<float>() == source.parameters()[0].detach().to_vector<float>());
  // A tensor outside the head still must fit.
  entries[0].tensor = Tensor::zeros({1});
  CHECK_THROWS_WITH(load_state_dict(net, entries, true, {"head."}),
                    testing::contains("missing: ; unexpected: ; mismatched: conv.weight"));
}

TEST_CASE("module: train, eval, freezing and f64 reach every child", "[nn]") {
  Net net;
  init(net, 1);
  int seen = 0;
  net.eval();
  net.visit([&](const std::string&, Module& m) { seen += !m.training(); });
  CHECK(seen == 6);
  net.to(Dtype::F64);
  for (const Tensor& p : net.parameters()) CHECK((p.dtype() == Dtype::F64 && p.requires_grad()));
  CHECK(net(input().to(Dtype::F64)).dtype() == Dtype::F64);
  CHECK_THROWS_WITH(net(input()), testing::contains("[conv2d] dtypes differ"));
  net.set_requires_grad(false);
  CHECK_FALSE(net(input().to(Dtype::F64)).requires_grad());
}

TEST_CASE("batch norm layer: running statistics and evaluation", "[nn]") {
  BatchNorm2d bn(2);
  init(bn, 0);
  const Tensor x = input();
  bn(x);
  const auto buffers = bn.named_buffers();
  CHECK(buffers[2].tensor.item() == 1);
  double mean = 0;
  for (int64_t i = 0; i < x.numel(); i += 2) mean += x.data<float>()[i];
  mean /= double(x.numel() / 2);
  CHECK(buffers[0].tensor.data<float>()[0] == Approx(0.1 * mean).epsilon(1e-5));
  bn.eval();
  const float m = buffers[0].tensor.data<float>()[0], v = buffers[1].tensor.data<float>()[0];
  CHECK(bn(x).detach().to_vector<float>()[0] ==
        Approx((x.data<float>()[0] - m) / std::sqrt(v + 1e-5)).epsilon(1e-5));
  CHECK(buffers[2].tensor.item() == 1);  // evaluation counts nothing
}

TEST_CASE("dropout layer: keeps the mean, identity in evaluation, new masks per call", "[nn]") {
  Dropout dropout(0.25, 11);
  const Tensor x = Tensor::ones({100, 1000});
  const auto first = dropout(x).to_vector<float>(), second = dropout(x).to_vector<float>();
  CHECK(first != second);
  double kept = 0, total = 0;
  for (float v : first) {
    CHECK((v == 0 || v == Approx(4.0 / 3)));
    kept += v != 0;
    total += v;
  }
  CHECK(kept / 1e5 == Approx(0.75).margin(0.006));
  Dropout again(0.25, 11);
  CHECK(again(x).to_vector<float>() == first);
  dropout.eval();
  CHECK(dropout(x).to_vector<float>() == x.to_vector<float>());
  CHECK_THROWS_WITH(Dropout(1.5), testing::contains("1.5"));
}

TEST_CASE("init: gives every dropout layer masks of its own, outside the state dict", "[nn]") {
  Sequential net;
  auto& a = net.add<Dropout>(0.5);
  auto& b = net.add<Dropout>(0.5);
  init(net, 1);
  const Tensor x = Tensor::ones({1000});
  const auto first = a(x).to_vector<float>();
  CHECK(first != b(x).to_vector<float>());
  init(net, 2);
  Sequential again;
  auto& c = again.add<Dropout>(0.5);
  init(again, 1);
  CHECK(c(x).to_vector<float>() == first);
  CHECK(state_dict(net).empty());
  CHECK(net.named_buffers().size() == 2);
}

TEST_CASE("layers: impossible sizes are errors", "[nn]") {
  CHECK_THROWS_WITH(Conv2d(3, 4, 3, {.groups = 2}), testing::contains("groups 2"));
  CHECK_THROWS_WITH(Conv2d(0, 4, 3), testing::contains("positive"));
  CHECK_THROWS_WITH(Linear(4, 0), testing::contains("positive"));
  CHECK_THROWS_WITH(Linear(4, 2, {.flattened_image = {2, 2, 2}}), testing::contains("(2, 2, 2)"));
  CHECK_THROWS_WITH(BatchNorm2d(0), testing::contains("channel"));
}

}  // namespace ditto::nn
