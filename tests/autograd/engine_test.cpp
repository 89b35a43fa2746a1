#include "autograd/engine.h"

#include <thread>

#include "autograd/function.h"
#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "tests/support/catch.h"

namespace ditto {
namespace {

Tensor leaf(std::vector<double> values) {
  const int64_t n = static_cast<int64_t>(values.size());
  Tensor x = Tensor::from(values, {n});
  x.set_requires_grad(true);
  return x;
}

}  // namespace

TEST_CASE("backward: a diamond adds the gradients of both paths", "[autograd]") {
  const Tensor x = leaf({1, 2, 3});
  const Tensor y = x * x;        // 2x
  const Tensor z = y + y * 3.0;  // 4 x^2, gradient 8x
  sum(z).backward();
  CHECK(x.grad().to_vector<double>() == std::vector<double>{8, 16, 24});
}

TEST_CASE("backward: gradients accumulate over calls until zero_grad", "[autograd]") {
  const Tensor x = leaf({2});
  for (int i = 0; i < 3; ++i) sum(x * 5.0).backward();
  CHECK(x.grad().item() == 15);
  x.zero_grad();
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("backward: two leaves never share one gradient buffer", "[autograd]") {
  const Tensor a = leaf({1}), b = leaf({1});
  (a + b).backward(Tensor::ones({1}, Dtype::F64));
  a.grad().fill_(7);  // what gradient clipping does
  CHECK(b.grad().item() == 1);
}

TEST_CASE("backward: a chain of a million nodes neither recurses nor leaks", "[autograd]") {
  const int64_t before = memory_stats().current;
  {
    Tensor x = leaf({1});
    Tensor y = x;
    for (int i = 0; i < 1'000'000; ++i) y = y + 1.0;
    y.backward(Tensor::ones({1}, Dtype::F64));
    CHECK(x.grad().item() == 1);
  }
  {
    Tensor x = leaf({1});
    Tensor y = x;  // dropped without a backward: destruction alone must cope too
    for (int i = 0; i < 1'000'000; ++i) y = neg(y);
  }
  CHECK(memory_stats().current == before);
}

TEST_CASE("backward: NoGrad records nothing, on this thread only", "[autograd]") {
  const Tensor x = leaf({1});
  NoGrad guard;
  CHECK_FALSE((x * 2.0).requires_grad());
  bool recorded_elsewhere = false;
  std::thread([&] { recorded_elsewhere = (x * 2.0).requires_grad(); }).join();
  CHECK(recorded_elsewhere);
}

TEST_CASE("backward: an in-place edit of a saved tensor is caught", "[autograd]") {
  const Tensor x = leaf({1, 2});
  Tensor w = Tensor::ones({2}, Dtype::F64);
  const Tensor y = sum(x * w);
  w.fill_(5);
  CHECK_THROWS_WITH(y.backward(),
                    testing::contains("mul saved a tensor that was changed in place"));
}

TEST_CASE("backward: an edit through another view of the same storage is caught", "[autograd]") {
  const Tensor x = leaf({1, 2, 3, 4});
  Tensor w = Tensor::ones({4}, Dtype::F64);
  Tensor half = w.alias({2}, {1}, 2);
  const Tensor y = sum(x * w);
  half.fill_(0);
  CHECK_THROWS_WITH(y.backward(), testing::contains("changed in place"));
}

TEST_CASE("backward: retain_graph keeps the graph, otherwise it is freed", "[autograd]") {
  const Tensor x = leaf({3});
  const Tensor y = sum(square(x));
  y.backward(Tensor::ones({}, Dtype::F64), true);
  y.backward();
  CHECK(x.grad().item() == 12);
  CHECK_THROWS_WITH(y.backward(), testing::contains("freed"));
}

TEST_CASE("backward: saved tensors are released as the engine passes", "[autograd]") {
  const Tensor x = leaf(std::vector<double>(1 << 16, 1.0));
  const int64_t before = memory_stats().current;
  const Tensor y = sum(exp(x * 2.0));
  CHECK(memory_stats().current > before + (1 << 18));
  y.backward();
  x.zero_grad();
  CHECK(memory_stats().current < before + (1 << 12));  // y itself and small change
}

TEST_CASE("backward: bad calls are errors", "[autograd]") {
  const Tensor x = leaf({1, 2});
  CHECK_THROWS_WITH((x * 2.0).backward(),
                    testing::contains("needs a gradient for an output of shape (2)"));
  CHECK_THROWS_WITH((x * 2.0).backward(Tensor::ones({3}, Dtype::F64)),
                    testing::contains("does not fit"));
  CHECK_THROWS_WITH((x * 2.0).backward(Tensor::ones({2}, Dtype::F32)),
                    testing::contains("does not fit"));
  CHECK_THROWS_WITH(sum(x.detach()).backward(), testing::contains("does not depend"));
  CHECK_THROWS_WITH(Tensor().backward(), testing::contains("does not depend"));
}

TEST_CASE("tracked tensors refuse what would lose a gradient", "[autograd]") {
  const Tensor x = leaf({1, 2});
  Tensor y = x * 2.0;
  CHECK_THROWS_WITH(y.clone(), testing::contains("carries gradients"));
  CHECK_THROWS_WITH(y.to(Dtype::F32), testing::contains("carries gradients"));
  CHECK_THROWS_WITH(y.fill_(0), testing::contains("output of a recorded operation"));
  CHECK_THROWS_WITH(cast(y, Dtype::I64), testing::contains("no gradient flows"));
  CHECK_THROWS_WITH(Tensor::zeros({1}, Dtype::I64).set_requires_grad(true),
                    testing::contains("f32, f64 or bf16"));
  CHECK_NOTHROW(y.detach().clone());
}

TEST_CASE("requires_grad: switching it off and on reaches every handle of the leaf", "[autograd]") {
  Tensor x = leaf({2});
  const Tensor held = x;  // as an optimizer holds it
  sum(x * 3.0).backward();
  x.set_requires_grad(false);
  CHECK_FALSE(held.requires_grad());
  CHECK_FALSE(held.grad().defined());  // no stale gradient is applied later
  CHECK_FALSE((x * 2.0).requires_grad());
  x.set_requires_grad(true);
  sum(x * 5.0).backward();
  CHECK(held.grad().item() == 5);
}

TEST_CASE("set_grad: a strided gradient is stored in row-major order", "[autograd]") {
  Tensor x = Tensor::zeros({2, 3}, Dtype::F64);
  x.set_requires_grad(true);
  const Tensor g = Tensor::from(std::vector<double>{1, 2, 3, 4, 5, 6}, {3, 2});
  x.set_grad(g.alias({2, 3}, {1, 2}, 0));
  CHECK(x.grad().is_contiguous());
  CHECK(x.grad().to_vector<double>() == std::vector<double>{1, 3, 5, 2, 4, 6});
}

TEST_CASE("linear: no rows, no columns", "[autograd]") {
  CHECK(linear(Tensor::zeros({2, 0}), Tensor::zeros({0, 0})).shape() == Shape{2, 0});
  CHECK(linear(Tensor::zeros({0, 3}), Tensor::zeros({4, 3})).shape() == Shape{0, 4});
  CHECK(linear(Tensor::zeros({2, 0}), Tensor::zeros({4, 0})).to_vector<float>() ==
        std::vector<float>(8, 0));
}

TEST_CASE("backward: several outputs at once", "[autograd]") {
  const Tensor x = leaf({2});
  const Tensor a = sum(x * 3.0), b = sum(square(x));
  backward({a, b}, {Tensor(), Tensor::full({}, 10, Dtype::F64)});
  CHECK(x.grad().item() == 3 + 40);
}

TEST_CASE("gradcheck: a wrong gradient fails and names the element", "[autograd]") {
  class Wrong final : public Function {
   public:
    const char* name() const override { return "wrong"; }
    Tensor forward(const Tensors& in) {
      return Tensor::from(in[0].to_vector<double>(), in[0].shape());
    }
    Tensors backward(const Tensors& grads) override {
      Tensor g = grads[0].clone();
      g.data<double>()[2] *= 1.01;
      return {g};
    }
    void release() override {}
  };
  const auto result =
      gradcheck([](const Tensors& in) { return apply<Wrong>({in[0]}); }, {leaf({1, 2, 3, 4})});
  CHECK_FALSE(result.ok);
  CHECK_THAT(result.message, testing::contains("input 0 element 2"));
  const auto lost =
      gradcheck([](const Tensors& in) { return in[0] + in[1].detach(); }, {leaf({1}), leaf({1})});
  CHECK_FALSE(lost.ok);
  CHECK_THAT(lost.message, testing::contains("input 1 received no gradient"));
}

}  // namespace ditto
