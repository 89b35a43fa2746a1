// Tutorial 04: LossTransform. Every image is shown as several augmented replicas; their predictions
// pull each other towards their mean:
//
//   T(L) = mean_i [ L(y_i; p_i) + rho KL(pbar_i || p_i) ]
//
// The same network is trained with and without it on the same number of images.
#include <cstdio>

#include "autograd/ops.h"
#include "data/augment.h"
#include "data/loader.h"
#include "losses/loss_transform.h"
#include "models/models.h"
#include "nn/init.h"
#include "nn/optim/adam.h"

using namespace ditto;

// Trains for 60 steps of 60 rows and returns the mean KL between replicas over the last 20 steps.
static double train(const data::ImageDataset& images, double rho) {
  constexpr int kReplicas = 3;
  // GroupedSampler puts the replicas of an image next to each other: 60 rows are 20 images, three
  // times.
  data::DataLoader loader(
      images, std::make_shared<data::GroupedSampler>(images.size(), kReplicas, 1),
      data::make_augment({.crop_padding = 4, .flip = true, .affine = {}, .cutout = 8},
                         images.statistics()),
      {.batch = 60, .drop_last = true, .workers = 1, .seed = 1});
  const auto model =
      models::make_model("mlp", {.image_size = 32, .in_channels = 1, .num_classes = 10});
  nn::init(*model, 1);
  nn::Adam optimizer(nn::parameter_groups(*model, 0), {.lr = 2e-3});
  double late_kl = 0;
  for (int step = 0; step < 60; ++step) {
    auto batch = loader.next();
    if (!batch) batch = loader.next();  // the next epoch
    // Rows with the same id show the same image.
    const Tensor groups = Tensor::from(batch->groups, {batch->size()});
    const Tensor logits = (*model)(batch->images);
    const Tensor loss = losses::loss_transform(logits, batch->labels, groups, {.rho = rho});
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    if (step >= 40) late_kl += mean(group_kl(logits.detach(), groups)).item() / 20;
  }
  return late_kl;
}

int main() {
  if (!data::locate("fashion-mnist")) {
    std::printf("SKIPPED: no FashionMNIST here; apt-get install dataset-fashion-mnist\n");
    return 77;
  }
  const auto images = data::load("fashion-mnist", data::Split::Train).take(2000, 1);
  const double plain = train(images, 0), transformed = train(images, 3);
  std::printf("disagreement of replicas, mean KL(pbar || p): plain %.4f, LossTransform %.4f\n",
              plain, transformed);
  return transformed < plain ? 0 : 1;
}
