// The fused dense block against the graph of batch_norm, conv2d and concat that it replaces.
#include "autograd/ops/dense_block.h"

#include <cmath>

#include "autograd/ops.h"
#include "core/context.h"
#include "tests/support/catch.h"
#include "tests/support/hash_values.h"

namespace ditto {
namespace {

using testing::contains;

Tensor values(const Shape& shape, uint32_t seed, Dtype dtype, double low = -1, double high = 1) {
  return Tensor::from(testing::hash_values(seed, shape.numel(), low, high), shape, dtype);
}

struct Setup {
  Tensor x;
  PoolVector<DenseLayerTensors> layers;
};

// Layers that add `growth[i]` channels, with kernels of 3 and 1 in turn.
Setup make(const Shape& shape, const std::vector<int64_t>& growth, Dtype dtype) {
  Setup s{values(shape, 1, dtype, -2, 3), {}};
  s.x.set_requires_grad(true);
  int64_t channels = shape[3];
  uint32_t seed = 2;
  for (size_t i = 0; i < growth.size(); ++i) {
    const int64_t kernel = i % 2 ? 1 : 3;
    DenseLayerTensors layer{values({channels}, seed++, dtype, 0.5, 1.5),
                            values({channels}, seed++, dtype), values({channels}, seed++, dtype),
                            values({channels}, seed++, dtype, 0.5, 1.5),
                            values({growth[i], kernel, kernel, channels}, seed++, dtype)};
    for (Tensor* t : {&layer.gamma, &layer.beta, &layer.weight}) t->set_requires_grad(true);
    s.layers.push_back(layer);
    channels += growth[i];
  }
  return s;
}

Tensor composition(const Setup& s, const BatchNormParams& params) {
  BatchNormParams with_relu = params;
  with_relu.relu = true;
  Tensor y = s.x;
  for (const DenseLayerTensors& l : s.layers) {
    const Tensor normal = batch_norm(y, l.gamma, l.beta, l.running_mean, l.running_var, with_relu);
    const int padding = static_cast<int>(l.weight.dim(1) / 2);
    y = concat({y, conv2d(normal, l.weight, Tensor(), {.padding = padding})}, 3);
  }
  return y;
}

double distance(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  const auto x = a.detach().to_vector<double>(), y = b.detach().to_vector<double>();
  double largest = 0, error = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    largest = std::max(largest, std::abs(y[i]));
    error = std::isnan(x[i]) ? INFINITY : std::max(error, std::abs(x[i] - y[i]));
  }
  return error / std::max(largest, 1e-30);
}

// Values, running statistics and all gradients of both, from the same inputs.
void check_equal(const Shape& shape, const std::vector<int64_t>& growth, Dtype dtype, bool training,
                 double bound) {
  Setup fused = make(shape, growth, dtype), plain = make(shape, growth, dtype);
  const BatchNormParams params{.eps = 1e-3, .momentum = 0.3, .training = training};
  const Tensor y = dense_block(fused.x, fused.layers, params), z = composition(plain, params);
  INFO("shape " << to_string(shape) << ", " << to_string(dtype) << ", training " << training);
  CHECK(distance(y, z) <= bound);
  const Tensor dy = values(y.shape(), 99, dtype);
  y.backward(dy);
  z.backward(dy);
  CHECK(distance(fused.x.grad(), plain.x.grad()) <= bound);
  for (size_t i = 0; i < growth.size(); ++i) {
    INFO("layer " << i);
    const DenseLayerTensors &a = fused.layers[i], &b = plain.layers[i];
    CHECK(distance(a.running_mean, b.running_mean) <= bound);
    CHECK(distance(a.running_var, b.running_var) <= bound);
    CHECK(distance(a.gamma.grad(), b.gamma.grad()) <= bound);
    CHECK(distance(a.beta.grad(), b.beta.grad()) <= bound);
    CHECK(distance(a.weight.grad(), b.weight.grad()) <= bound);
  }
  // The incoming gradient belongs to the caller.
  CHECK(dy.to_vector<double>() == values(y.shape(), 99, dtype).to_vector<double>());
}

}  // namespace

TEST_CASE("dense_block: values and gradients are those of its parts in f64", "[autograd]") {
  for (const bool training : {true, false}) {
    check_equal({3, 5, 4, 6}, {4, 3, 12}, Dtype::F64, training, 1e-12);
    check_equal({1, 3, 3, 1}, {1}, Dtype::F64, training, 1e-12);
  }
}

TEST_CASE("dense_block: values and gradients are those of its parts in f32", "[autograd]") {
  // f64 values decide how near the ReLUs' inputs come to zero; these seeds keep clear of it.
  for (const bool training : {true, false}) {
    check_equal({5, 6, 7, 16}, {12, 12, 12}, Dtype::F32, training, 2e-5);
    // Several steps per thread: a step takes 1 MB.
    check_equal({7, 32, 32, 40}, {12, 12}, Dtype::F32, training, 2e-5);
  }
}

TEST_CASE("dense_block: any number of threads gives the same up to rounding", "[autograd]") {
  const int threads = num_threads();
  std::vector<Tensor> dx, dw;
  for (const int n : {1, 3, 8}) {  // 8: more than images
    set_num_threads(n);
    Setup s = make({5, 4, 4, 6}, {4, 3}, Dtype::F64);
    const Tensor y = dense_block(s.x, s.layers);
    y.backward(values(y.shape(), 99, Dtype::F64));
    dx.push_back(s.x.grad());
    dw.push_back(s.layers[0].weight.grad());
  }
  set_num_threads(threads);
  for (size_t i = 1; i < dx.size(); ++i) {
    CHECK(distance(dx[i], dx[0]) <= 1e-13);
    CHECK(distance(dw[i], dw[0]) <= 1e-13);
  }
}

TEST_CASE("dense_block: input that does not fit is an error", "[autograd]") {
  const Setup good = make({2, 4, 4, 6}, {4, 3}, Dtype::F32);
  CHECK_THROWS_WITH(dense_block(good.x, {}), contains("[dense_block] needs a layer"));
  CHECK_THROWS_WITH(dense_block(values({2, 4, 6}, 1, Dtype::F32), good.layers),
                    contains("[dense_block]") && contains("(2, 4, 6)"));
  CHECK_THROWS_WITH(dense_block(values({0, 4, 4, 6}, 1, Dtype::F32), good.layers),
                    contains("[dense_block] the input is empty"));
  CHECK_THROWS_WITH(dense_block(values({2, 4, 4, 5}, 1, Dtype::F32), good.layers),
                    contains("[dense_block] needs a weight"));
  CHECK_THROWS_WITH(dense_block(values({1, 1, 1, 6}, 1, Dtype::F32), good.layers),
                    contains("more than one value"));
  CHECK_THROWS_WITH(dense_block(good.x, good.layers, {.eps = -1}), contains("eps"));
  Setup bad = make({2, 4, 4, 6}, {4, 3}, Dtype::F32);
  bad.layers[1].gamma = values({6}, 1, Dtype::F32);
  CHECK_THROWS_WITH(dense_block(bad.x, bad.layers), contains("does not fit channels"));
  bad = make({2, 4, 4, 6}, {4, 3}, Dtype::F32);
  bad.layers[1].weight = values({3, 2, 2, 10}, 1, Dtype::F32);
  CHECK_THROWS_WITH(dense_block(bad.x, bad.layers), contains("odd s"));
  bad = make({2, 4, 4, 6}, {4, 3}, Dtype::F32);
  bad.layers[0].running_mean = Tensor();
  CHECK_THROWS_WITH(dense_block(bad.x, bad.layers), contains("go together"));
  bad.layers[0].running_var = Tensor();
  CHECK_NOTHROW(dense_block(bad.x, bad.layers));
  CHECK_THROWS_AS(dense_block(bad.x, bad.layers, {.training = false}), Error);
  bad.layers[0].weight = bad.layers[0].weight.detach().to(Dtype::F64);
  CHECK_THROWS_WITH(dense_block(bad.x, bad.layers), contains("[dense_block] dtypes differ"));
}

}  // namespace ditto
