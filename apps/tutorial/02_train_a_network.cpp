// Tutorial 02: modules, losses and optimizers.
//
// Two interleaved spirals, a multi-layer perceptron, Adam.
#include <cmath>
#include <cstdio>

#include "autograd/ops.h"
#include "core/rng.h"
#include "losses/cross_entropy.h"
#include "nn/activation.h"
#include "nn/linear.h"
#include "nn/optim/adam.h"
#include "nn/sequential.h"

using namespace ditto;

int main() {
  constexpr int64_t kPoints = 400;
  Tensor points = Tensor::empty({kPoints, 2}), labels = Tensor::empty({kPoints}, Dtype::I64);
  Rng rng(7);
  for (int64_t i = 0; i < kPoints; ++i) {
    const int64_t arm = i % 2;
    const double t = 0.3 + 3.0 * double(i) / kPoints, angle = 2.5 * t + 3.14159 * double(arm);
    points.data<float>()[2 * i] = float(t * std::cos(angle) / 3 + 0.02 * rng.normal());
    points.data<float>()[2 * i + 1] = float(t * std::sin(angle) / 3 + 0.02 * rng.normal());
    labels.data<int64_t>()[i] = arm;
  }

  // A model is a tree of modules; names of parameters follow the tree ("0.weight", "2.bias", ...).
  nn::Sequential model;
  model.add<nn::Linear>(2, 32);
  model.add<nn::Tanh>();
  model.add<nn::Linear>(32, 32);
  model.add<nn::Tanh>();
  model.add<nn::Linear>(32, 2);
  nn::init(model, /*seed=*/1);  // before this all parameters are zero
  for (const nn::NamedParameter& p : model.named_parameters())
    std::printf("%-9s %s\n", p.name.c_str(), to_string(p.tensor).c_str());

  nn::Adam optimizer(nn::parameter_groups(model, /*weight_decay=*/0), {.lr = 0.01});
  for (int step = 1; step <= 300; ++step) {
    optimizer.zero_grad();
    const Tensor loss = losses::cross_entropy(model(points), labels);
    loss.backward();
    optimizer.step();
    if (step % 100 == 0) std::printf("step %d loss %.4f\n", step, loss.item());
  }

  NoGrad guard;  // evaluation records nothing
  const auto predicted = argmax(model(points), 1).to_vector<int64_t>();
  int64_t correct = 0;
  for (int64_t i = 0; i < kPoints; ++i)
    correct += predicted[size_t(i)] == labels.data<int64_t>()[i];
  std::printf("%ld of %ld points right\n", long(correct), long(kPoints));
  return correct > kPoints * 95 / 100 ? 0 : 1;
}
