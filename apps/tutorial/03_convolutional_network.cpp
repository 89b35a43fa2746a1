// Tutorial 03: a module of your own, real images, the data loader.
//
// A small convolutional network on 4,000 images of FashionMNIST (Debian package
// dataset-fashion-mnist).
#include <cstdio>

#include "autograd/ops.h"
#include "data/augment.h"
#include "data/loader.h"
#include "losses/cross_entropy.h"
#include "nn/batch_norm.h"
#include "nn/conv2d.h"
#include "nn/linear.h"
#include "nn/optim/schedule.h"
#include "nn/optim/sgd.h"

using namespace ditto;

// Children are made in the initialiser list; each name is written once and no copy can go wrong.
class SmallNet : public nn::Layer {
 public:
  SmallNet()
      : conv1_(child<nn::Conv2d>("conv1", 1, 16, 3,
                                 nn::Conv2dOptions{.stride = 2, .padding = 1, .bias = false})),
        bn1_(child<nn::BatchNorm2d>("bn1", 16)),
        conv2_(
            child<nn::Conv2d>("conv2", 16, 32, 3, nn::Conv2dOptions{.padding = 1, .bias = false})),
        bn2_(child<nn::BatchNorm2d>("bn2", 32)),
        fc_(child<nn::Linear>("fc", 4 * 4 * 32, 10,
                              nn::LinearOptions{.flattened_image = {4, 4, 32}})) {}

  // x (N, 32, 32, 1) -> (N, 10). Images are NHWC everywhere.
  Tensor forward(const Tensor& x) override {
    Tensor y = bn1_.relu(conv1_(x));   // (N, 16, 16, 16)
    y = max_pool2d(y, {.kernel = 2});  // (N, 8, 8, 16)
    y = bn2_.relu(conv2_(y));          // (N, 8, 8, 32)
    y = max_pool2d(y, {.kernel = 2});  // (N, 4, 4, 32)
    return fc_(flatten(y));            // (N, 512) -> (N, 10)
  }

 private:
  nn::Conv2d& conv1_;
  nn::BatchNorm2d& bn1_;
  nn::Conv2d& conv2_;
  nn::BatchNorm2d& bn2_;
  nn::Linear& fc_;
};

int main() {
  if (!data::locate("fashion-mnist")) {
    std::printf("SKIPPED: no FashionMNIST here; apt-get install dataset-fashion-mnist\n");
    return 77;
  }
  const auto train = data::load("fashion-mnist", data::Split::Train).take(4000, 1);
  const auto test = data::load("fashion-mnist", data::Split::Test).take(1000, 1);

  // Policies draw deterministic transforms; what a batch contains depends on the seed alone.
  data::DataLoader loader(
      train, std::make_shared<data::RandomSampler>(train.size(), 1),
      data::make_augment({.crop_padding = 2, .flip = true, .affine = {}, .cutout = 0},
                         train.statistics()),
      {.batch = 100, .workers = 1, .seed = 1});
  SmallNet model;
  nn::init(model, 1);
  nn::Sgd optimizer(nn::parameter_groups(model, 1e-4),
                    {.lr = 0.03, .momentum = 0.9, .nesterov = true});
  const nn::ScheduleOptions schedule{
      .kind = nn::ScheduleOptions::Kind::Cosine, .lr = 0.03, .total_steps = 4 * loader.batches()};
  for (int epoch = 1; epoch <= 4; ++epoch) {
    double total = 0;
    while (auto batch = loader.next()) {
      optimizer.set_lr(nn::learning_rate(schedule, optimizer.steps()));
      optimizer.zero_grad();
      const Tensor loss = losses::cross_entropy(model(batch->images), batch->labels);
      loss.backward();
      optimizer.step();
      total += loss.item();
    }
    std::printf("epoch %d: mean loss %.4f\n", epoch, total / double(loader.batches()));
  }

  model.eval();  // batch norm now uses its running statistics
  NoGrad guard;
  data::DataLoader eval(test, std::make_shared<data::SequentialSampler>(test.size()),
                        data::make_augment({}, test.statistics()), {.batch = 250, .workers = 0});
  int64_t correct = 0;
  while (auto batch = eval.next()) {
    const auto predicted = argmax(model(batch->images), 1).to_vector<int64_t>();
    for (int64_t i = 0; i < batch->size(); ++i)
      correct += predicted[size_t(i)] == batch->labels.data<int64_t>()[i];
  }
  const double accuracy = double(correct) / double(test.size());
  std::printf("test accuracy %.1f %%\n", 100 * accuracy);
  return accuracy > 0.7 ? 0 : 1;
}
