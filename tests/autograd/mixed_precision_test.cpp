// Mixed precision: which dtype comes out of which op, that what is kept stays f32, and that a
// training in bf16 learns what one in f32 learns.
#include "autograd/mixed_precision.h"

#include <cmath>

#include "autograd/ops.h"
#include "core/rng.h"
#include "losses/losses.h"
#include "models/densenet.h"
#include "models/resnet_cifar.h"
#include "nn/init.h"
#include "nn/optim/sgd.h"
#include "tests/support/catch.h"
#include "tests/support/distance.h"

namespace ditto {
namespace {

Tensor noise(const Shape& shape, uint64_t seed, double scale = 1) {
  Rng rng(seed);
  std::vector<float> values(static_cast<size_t>(shape.numel()));
  for (float& value : values) value = static_cast<float>(scale * rng.normal());
  return Tensor::from(values, shape);
}

// Largest difference, relative to the largest value.
double distance(const Tensor& a, const Tensor& b) {
  return testing::relative_distance(a.detach().to_vector<double>(), b.detach().to_vector<double>());
}

// Two roundings to bf16's 8 bits.
constexpr double kTolerance = 2.0 / 256;

// Losses of a few steps on fixed images, two replicas of each.
std::vector<double> losses_of(nn::Layer& model, Dtype precision, const std::string& loss_name,
                              int steps) {
  const MixedPrecision scope(precision);
  nn::init(model, 3);
  nn::Sgd optimizer(nn::parameter_groups(model, 1e-4), {.lr = 0.02, .momentum = 0.9});
  const Tensor images = noise({8, 16, 16, 3}, 1);
  const Tensor labels = Tensor::from<int64_t>({0, 0, 1, 1, 2, 2, 3, 3}, {8});
  const Tensor groups = Tensor::from<int64_t>({0, 0, 1, 1, 2, 2, 3, 3}, {8});
  const auto loss_function = losses::make_loss(loss_name, {});
  std::vector<double> losses;
  for (int i = 0; i < steps; ++i) {
    optimizer.zero_grad();
    const Tensor loss = loss_function(model(images), labels, groups);
    loss.backward();
    optimizer.step();
    losses.push_back(loss.item());
  }
  return losses;
}

}  // namespace

TEST_CASE("mixed precision: dtypes of results, and of what is kept") {
  const Tensor x = noise({2, 6, 6, 4}, 1), w = noise({5, 3, 3, 4}, 2), f = noise({3, 4}, 3);
  Tensor weight = w.clone();
  weight.set_requires_grad(true);
  CHECK(conv2d(x, w, Tensor(), {.padding = 1}).dtype() == Dtype::F32);
  {
    const MixedPrecision scope(Dtype::BF16);
    const Tensor y = conv2d(x, weight, Tensor(), {.padding = 1});
    CHECK(y.dtype() == Dtype::BF16);
    CHECK(relu(y).dtype() == Dtype::BF16);
    CHECK(max_pool2d(y, {.kernel = 2}).dtype() == Dtype::BF16);
    CHECK(linear(global_avg_pool2d(y), noise({3, 5}, 4), Tensor()).dtype() == Dtype::BF16);
    CHECK(softmax(linear(f, f, Tensor())).dtype() == Dtype::F32);
    CHECK(matmul(f, transpose(f, 0, 1)).dtype() == Dtype::BF16);
    const Tensor mean = Tensor::zeros({5}), var = Tensor::ones({5});
    CHECK(batch_norm(y, Tensor(), Tensor(), mean, var).dtype() == Dtype::BF16);
    CHECK(mean.dtype() == Dtype::F32);
    CHECK(mean.to_vector<double>()[0] != 0);
    {
      const MixedPrecision inner(Dtype::F32);
      CHECK(conv2d(x, w, Tensor(), {}).dtype() == Dtype::F32);
    }
    sum(reshape(cast(square(y), Dtype::F32), {-1}), 0).backward();
    CHECK(weight.grad().dtype() == Dtype::F32);
    // f64 is asked for where exactness is the point: it is left alone.
    CHECK(conv2d(x.to(Dtype::F64), w.to(Dtype::F64), Tensor(), {}).dtype() == Dtype::F64);
  }
  CHECK(matmul(f, transpose(f, 0, 1)).dtype() == Dtype::F32);
  CHECK_THROWS_WITH(MixedPrecision(Dtype::F16), testing::contains("[mixed_precision]"));
}

TEST_CASE("mixed precision: values and gradients are those of f32, rounded") {
  Tensor gradients[2], outputs[2];
  for (const Dtype dtype : {Dtype::F32, Dtype::BF16}) {
    const MixedPrecision scope(dtype);
    Tensor x = noise({4, 8, 8, 6}, 5), w = noise({8, 3, 3, 6}, 6, 0.2), v = noise({3, 8}, 7);
    for (Tensor* t : {&x, &w, &v}) t->set_requires_grad(true);
    const Tensor pooled = global_avg_pool2d(relu(conv2d(x, w, Tensor(), {.padding = 1})));
    const Tensor y = widened(linear(pooled, v, Tensor()));
    sum(reshape(square(y), {-1}), 0).backward();
    outputs[dtype == Dtype::BF16] = y.detach();
    gradients[dtype == Dtype::BF16] = w.grad();
  }
  CHECK(distance(outputs[1], outputs[0]) <= kTolerance);
  CHECK(distance(outputs[1], outputs[0]) > 0);  // it was rounded
  // A dozen roundings on the way back, and pixels whose ReLU is on in one of the two alone.
  CHECK(distance(gradients[1], gradients[0]) <= 0.05);
}

TEST_CASE("mixed precision: batch norm and elementwise functions compute in f32") {
  const Tensor x = noise({64, 4}, 8) + 100.0, r = noise({64, 4}, 9);
  const Tensor x16 = x.to(Dtype::BF16), r16 = r.to(Dtype::BF16);
  const Tensor rounded = x16.to(Dtype::F32), residual = r16.to(Dtype::F32);
  const auto normalised = [](const Tensor& in, const Tensor& skip) {
    return batch_norm(in, Tensor::full({4}, 1.5), Tensor::full({4}, 0.25), Tensor(), Tensor(),
                      {.relu = true}, skip);
  };
  CHECK(distance(normalised(x16, r16), normalised(rounded, residual)) <= 1.0 / 256);
  CHECK(distance(add(x16, r16), add(rounded, residual)) <= 1.0 / 256);
  CHECK(distance(sum(x16, 0), sum(rounded, 0)) <= 1.0 / 256);  // not 64 roundings
}

TEST_CASE("mixed precision: 20 steps learn what f32 learns") {
  for (const std::string loss : {"cce", "t-cce"}) {
    models::ResNetCifar model({.depth = 8});
    const auto exact = losses_of(model, Dtype::F32, loss, 20);
    const auto mixed = losses_of(model, Dtype::BF16, loss, 20);
    INFO(loss << ": f32 " << exact.front() << " to " << exact.back() << ", bf16 " << mixed.front()
              << " to " << mixed.back());
    CHECK(mixed.front() == Approx(exact.front()).epsilon(0.02));
    CHECK(exact.back() < 0.5 * exact.front());
    CHECK(mixed.back() < 0.5 * mixed.front());
    for (size_t i = 0; i < exact.size(); ++i)
      CHECK(std::fabs(mixed[i] - exact[i]) < 0.1 * exact.front());
  }
}

TEST_CASE("mixed precision: a dense block widens its input") {
  models::DenseNet model({.depth = 7});
  const auto losses = losses_of(model, Dtype::BF16, "cce", 5);
  CHECK(losses.back() < losses.front());
}

}  // namespace ditto
