// Training on the CUDA device (a GPU or the emulated one) gives what the CPU gives.
#include <numeric>

#include "autograd/mixed_precision.h"
#include "autograd/ops.h"
#include "core/rng.h"
#include "data/augment.h"
#include "data/loader.h"
#include "losses/losses.h"
#include "models/densenet.h"
#include "models/models.h"
#include "models/resnet_cifar.h"
#include "nn/init.h"
#include "nn/optim/adam.h"
#include "nn/optim/ema.h"
#include "nn/optim/sgd.h"
#include "nn/state_dict.h"
#include "tests/support/cuda.h"
#include "tests/support/distance.h"

namespace ditto {
namespace {

using testing::kCuda;

// Noise, on top of one bright channel for each label, which a network can learn.
data::ImageDataset random_images(int64_t n, int64_t side) {
  Rng rng(1);
  std::vector<uint8_t> pixels(static_cast<size_t>(n * side * side * 3));
  const size_t image = static_cast<size_t>(side * side * 3);
  for (size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<uint8_t>(rng.below(176) + (i % 3 == i / image % 4 ? 80 : 0));
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < n; ++i) labels.push_back(i % 4);
  return data::ImageDataset("random", Tensor::from(pixels, {n, side, side, 3}),
                            Tensor::from(labels, {n}), {"a", "b", "c", "d"},
                            {{0.5f, 0.5f, 0.5f}, {0.25f, 0.25f, 0.25f}});
}

struct Outcome {
  std::vector<double> losses;
  std::vector<std::vector<double>> state;  // every tensor of the state dict, and the averages
};

// A narrow ResNet-20 with crops, mirrored images, cutout and T(CCE), pairs of replicas.
struct Recipe {
  int64_t batch = 6;
  double lr = 0.05;
};
Outcome train(Device device, Dtype dtype, int steps, Dtype precision = Dtype::F32,
              const Recipe& recipe = {}) {
  const MixedPrecision scope(precision);
  models::ResNetCifar model({.depth = 20, .width = 2, .num_classes = 4});
  nn::init(model, 3);
  model.to(dtype);
  model.to(device);
  nn::Sgd optimizer(nn::parameter_groups(model, 1e-4), {.lr = recipe.lr, .momentum = 0.9});
  nn::Ema ema(model, {.decay = 0.9});
  const data::ImageDataset images = random_images(24, 12);
  data::DataLoader loader(
      images, std::make_shared<data::GroupedSampler>(24, 2, 5),
      data::make_augment({.crop_padding = 2, .flip = true, .cutout = 4}, images.statistics()),
      // A device may round its pixels, f32, otherwise, which f64 would show.
      {.batch = recipe.batch,
       .drop_last = true,
       .workers = 0,
       .seed = 5,
       .device = dtype == Dtype::F64 ? kCpu : device});
  REQUIRE(loader.note().empty());
  const losses::ClassificationLoss loss = losses::make_loss("t-cce", {.rho = 0.5});
  Outcome outcome;
  for (int i = 0; i < steps; ++i) {
    auto batch = loader.next();
    if (!batch) batch = loader.next();
    optimizer.zero_grad();
    const Tensor value = loss(model(batch->images.to(dtype).to(device)), batch->labels.to(device),
                              Tensor::from(batch->groups, {batch->size()}).to(device));
    value.backward();
    optimizer.step();
    ema.update();
    outcome.losses.push_back(value.item());
  }
  for (const nn::StateEntry& entry : nn::state_dict(model))
    outcome.state.push_back(entry.tensor.to_vector<double>());
  for (const auto& [name, tensor] : ema.state())
    outcome.state.push_back(tensor.to_vector<double>());
  return outcome;
}

// Largest difference, relative to the largest value of each tensor.
double distance(const Outcome& a, const Outcome& b) {
  double worst = 0;
  REQUIRE(a.state.size() == b.state.size());
  for (size_t i = 0; i < a.state.size(); ++i)
    worst = std::max(worst, testing::relative_distance(a.state[i], b.state[i], 1e-3));
  for (size_t i = 0; i < a.losses.size(); ++i)
    worst = std::max(worst, testing::distance(a.losses[i] / b.losses[i], 1));
  return worst;
}

}  // namespace

TEST_CASE("cuda training: 20 steps of a narrow ResNet-20 in f64 equal the CPU's", "[gpu]") {
  DITTO_NEEDS_CUDA();
  const Outcome cuda = train(kCuda, Dtype::F64, 20), cpu = train(kCpu, Dtype::F64, 20);
  CHECK(distance(cuda, cpu) <= 1e-8);
  CHECK(cuda.losses.back() < cuda.losses.front());
}

TEST_CASE("cuda training: 3 steps of a narrow ResNet-20 in f32 equal the CPU's", "[gpu]") {
  DITTO_NEEDS_CUDA();
  CHECK(distance(train(kCuda, Dtype::F32, 3), train(kCpu, Dtype::F32, 3)) <= 1e-4);
}

TEST_CASE("cuda training: 20 steps in bf16 learn what the CPU learns in bf16 and in f32", "[gpu]") {
  DITTO_NEEDS_CUDA();
  // Larger batches and a smaller rate than above: there single losses jump, whatever the precision.
  const Recipe recipe{.batch = 24, .lr = 0.02};
  const auto losses = [&](Device device, Dtype precision) {
    return train(device, Dtype::F32, 20, precision, recipe).losses;
  };
  const std::vector<double> exact = losses(kCpu, Dtype::F32), cpu = losses(kCpu, Dtype::BF16),
                            cuda = losses(kCuda, Dtype::BF16);
  const auto mean = [](const std::vector<double>& losses, size_t begin) {
    return std::accumulate(losses.begin() + static_cast<int64_t>(begin),
                           losses.begin() + static_cast<int64_t>(begin + 5), 0.0) /
           5;
  };
  std::string text;
  for (size_t i = 0; i < exact.size(); ++i)
    text += std::to_string(exact[i]) + " " + std::to_string(cpu[i]) + " " +
            std::to_string(cuda[i]) + "\n";
  INFO("losses of f32 on the CPU, bf16 on the CPU, bf16 on CUDA\n" << text);
  CHECK(cuda != exact);  // it was rounded
  CHECK(cuda.front() == Approx(cpu.front()).epsilon(0.002));
  for (const auto* each : {&exact, &cpu, &cuda}) CHECK(mean(*each, 15) < 0.7 * mean(*each, 0));
  for (size_t i = 0; i < exact.size(); ++i) {
    CHECK(std::fabs(cuda[i] - cpu[i]) < 0.03 * exact.front());
    CHECK(std::fabs(cuda[i] - exact[i]) < 0.06 * exact.front());
  }
}

TEST_CASE("cuda training: steps of a DenseNet in bf16 learn what the CPU learns", "[gpu]") {
  DITTO_NEEDS_CUDA();
  const MixedPrecision scope(Dtype::BF16);
  const data::ImageDataset images = random_images(8, 16);
  const auto train_on = [&](Device device) {
    models::DenseNet model({.depth = 7, .num_classes = 4});
    nn::init(model, 3);
    model.to(device);
    nn::Sgd optimizer(nn::parameter_groups(model, 1e-4), {.lr = 0.02, .momentum = 0.9});
    data::DataLoader loader(images, std::make_shared<data::SequentialSampler>(8),
                            data::make_augment({}, images.statistics()),
                            {.batch = 8, .workers = 0});
    const auto batch = loader.next();
    const Tensor x = batch->images.to(device), labels = batch->labels.to(device);
    const auto loss = ditto::losses::make_loss("cce", {});
    std::vector<double> values;
    for (int i = 0; i < 5; ++i) {
      optimizer.zero_grad();
      const Tensor value = loss(model(x), labels, Tensor());
      value.backward();
      optimizer.step();
      values.push_back(value.item());
    }
    return values;
  };
  const std::vector<double> cpu = train_on(kCpu), cuda = train_on(kCuda);
  for (size_t i = 0; i < cpu.size(); ++i) CHECK(cuda[i] == Approx(cpu[i]).epsilon(0.02));
  CHECK(cuda.back() < cuda.front());
}

TEST_CASE("cuda training: the same bits in every run", "[gpu]") {
  DITTO_NEEDS_CUDA();
  const bool before = deterministic();
  set_deterministic(true);
  CHECK(distance(train(kCuda, Dtype::F32, 3), train(kCuda, Dtype::F32, 3)) == 0);
  set_deterministic(before);
}

TEST_CASE("cuda training: a module moves to the device and back with its state", "[gpu]") {
  DITTO_NEEDS_CUDA();
  const auto model = models::make_model("mlp", {.image_size = 4, .num_classes = 3, .dropout = 0.5});
  nn::init(*model, 1);
  const auto before = nn::state_dict(*model);
  CHECK(model->device() == kCpu);
  model->to(kCuda);
  CHECK(model->device() == kCuda);
  for (const nn::NamedParameter& p : model->named_parameters()) {
    CHECK(p.tensor.device() == kCuda);
    CHECK(p.tensor.requires_grad());
  }
  // Adam and dropout work there, too; loading brings the old weights back.
  nn::Adam optimizer(nn::parameter_groups(*model, 0), {.lr = 0.01});
  const Tensor x = Tensor::ones({2, 4, 4, 3}, Dtype::F32, kCuda);
  sum((*model)(x)).backward();
  optimizer.step();
  const auto changed = nn::state_dict(*model);
  CHECK(changed[0].tensor.to_vector<float>() != before[0].tensor.to_vector<float>());
  nn::load_state_dict(*model, before);
  model->to(kCpu);
  const auto after = nn::state_dict(*model);
  for (size_t i = 0; i < before.size(); ++i)
    CHECK(after[i].tensor.to_vector<float>() == before[i].tensor.to_vector<float>());
}

}  // namespace ditto
