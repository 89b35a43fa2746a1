#include "autograd/recompute.h"

#include "autograd/grad_mode.h"
#include "autograd/mixed_precision.h"
#include "autograd/ops.h"
#include "core/context.h"
#include "tests/support/catch.h"

namespace ditto {
namespace {

using testing::contains;

Tensor leaf(const std::vector<float>& values) {
  Tensor x = Tensor::from(values, {static_cast<int64_t>(values.size())});
  x.set_requires_grad(true);
  return x;
}

Tensor f(const Tensors& in) { return exp(in[0] * in[1]) + in[0]; }

}  // namespace

TEST_CASE("recompute: values and gradients of the function, bit for bit", "[autograd]") {
  const Tensor a = leaf({1, -2, 3}), b = leaf({0.5, 1, 2});
  sum(f({a, b}) * 2.0).backward();
  const auto da = a.grad().to_vector<float>(), db = b.grad().to_vector<float>();
  a.zero_grad();
  b.zero_grad();
  int calls = 0;
  const auto counted = [&](const Tensors& in) { return ++calls, f(in); };
  const Tensor y = recompute(counted, {a, b});
  CHECK(y.to_vector<float>() == f({a, b}).to_vector<float>());
  CHECK(calls == 1);
  sum(y * 2.0).backward();
  CHECK(calls == 2);
  CHECK(a.grad().to_vector<float>() == da);
  CHECK(b.grad().to_vector<float>() == db);
  // Only what leads to a leaf gets a gradient; without one nothing is recorded.
  a.zero_grad();
  b.zero_grad();
  sum(recompute(counted, {a.detach(), b})).backward();
  CHECK(!a.grad().defined());
  CHECK(b.grad().defined());
  CHECK(!recompute(counted, {a.detach(), b.detach()}).requires_grad());
}

TEST_CASE("recompute: what the function makes on its way is not kept", "[autograd]") {
  constexpr int64_t kBytes = 4 << 16;
  Tensor x = Tensor::ones({1 << 16});
  x.set_requires_grad(true);
  const auto chain = [](const Tensors& in) {
    Tensor y = in[0];
    for (int i = 0; i < 20; ++i) y = sin(y);
    return sum(y);
  };
  const int64_t before = memory_stats().current;
  const Tensor plain = chain({x});
  CHECK(memory_stats().current - before > 15 * kBytes);
  const int64_t held = memory_stats().current;
  const Tensor sparing = recompute(chain, {x});
  CHECK(memory_stats().current - held < kBytes);
  sparing.backward();
  const auto gradient = x.grad().to_vector<float>();
  x.zero_grad();
  plain.backward();
  CHECK(x.grad().to_vector<float>() == gradient);
}

TEST_CASE("recompute: the second call computes in the precision of the first", "[autograd]") {
  const Tensor a = leaf({1.003f, 2, 3}), b = leaf({0.1f, 0.7f, 0.3f});
  const auto product = [](const Tensors& in) {
    return sum(widened(matmul(reshape(in[0], {1, 3}), reshape(in[1], {3, 1}))));
  };
  Tensor plain, saved;
  {
    const MixedPrecision precision(Dtype::BF16);
    plain = product({a, b});
    saved = recompute(product, {a, b});
    plain.backward();
  }
  const auto expected = a.grad().to_vector<float>();
  a.zero_grad();
  saved.backward();
  CHECK(a.grad().to_vector<float>() == expected);
  CHECK(expected[0] != 0.1f);  // rounded to bf16
}

TEST_CASE("recompute: inputs returned, twice backward, inputs changed meanwhile", "[autograd]") {
  Tensor x = leaf({1, 2});
  const Tensor same = recompute([](const Tensors& in) { return in[0]; }, {x});
  sum(same).backward();
  CHECK(x.grad().to_vector<float>() == std::vector<float>{1, 1});
  const Tensor y = sum(recompute([](const Tensors& in) { return in[0] * in[0]; }, {x}));
  y.backward(Tensor(), true);
  y.backward();
  CHECK(x.grad().to_vector<float>() == std::vector<float>{5, 9});
  CHECK_THROWS_WITH(y.backward(), contains("retain_graph"));
  const Tensor z = sum(recompute([](const Tensors& in) { return in[0] * in[0]; }, {x}));
  {
    NoGrad guard;
    x.fill_(3);
  }
  CHECK_THROWS_WITH(z.backward(), contains("recompute") && contains("changed in place"));
  int calls = 0;
  const Tensor odd = recompute(
      [&](const Tensors& in) { return ++calls == 1 ? in[0] * 1.0 : sum(in[0]); }, {leaf({1, 2})});
  CHECK_THROWS_WITH(sum(odd).backward(), contains("[recompute]") && contains("(2)"));
}

}  // namespace ditto
