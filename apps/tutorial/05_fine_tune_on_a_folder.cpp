// Tutorial 05: fine-tuning on a folder of images. A network that was trained on one task learns a
// second one: its head is replaced, first the new head is trained on frozen features, then all of
// it with LossTransform at a small, constant rate (the recipe of "LossTransform-v1").
//
//   05_fine_tune_on_a_folder [FOLDER [WEIGHTS [MODEL]]]
//
// FOLDER holds train/CLASS/*.jpg and val/CLASS/*.jpg, or CLASS/*.png alone; WEIGHTS is a
// safetensors file for MODEL (resnet20 by default). Without arguments the program draws pictures of
// its own and trains on a first task to have some weights.
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "apps/classification/pretrained.h"
#include "apps/classification/trainer.h"
#include "apps/classification/weights.h"
#include "apps/common/png.h"
#include "autograd/ops.h"
#include "data/augment.h"
#include "data/image.h"
#include "data/image_folder.h"
#include "losses/cross_entropy.h"
#include "losses/loss_transform.h"
#include "models/models.h"
#include "nn/init.h"
#include "nn/optim/sgd.h"

using namespace ditto;
namespace fs = std::filesystem;

// Draws `count` noisy pictures of different sizes for each shape: discs, squares, stripes, rings.
static void draw_folder(const fs::path& folder, const std::vector<std::string>& shapes, int count) {
  Rng rng(7);
  for (const std::string& shape : shapes) {
    fs::create_directories(folder / shape);
    for (int i = 0; i < count; ++i) {
      const auto size = static_cast<int64_t>(36 + rng.below(20));
      const double radius = rng.uniform(0.25, 0.4) * double(size), middle = 0.5 * double(size);
      Tensor image = Tensor::empty({size, size, 3}, Dtype::U8);
      uint8_t* pixel = image.data<uint8_t>();
      const double tone[] = {rng.uniform(120, 220), rng.uniform(120, 220), rng.uniform(120, 220)};
      for (int64_t y = 0; y < size; ++y)
        for (int64_t x = 0; x < size; ++x) {
          const double dx = double(x) - middle, dy = double(y) - middle, d = std::hypot(dx, dy);
          const bool square = std::fabs(dx) < radius && std::fabs(dy) < radius;
          const bool inside = shape == "disc"     ? d < radius
                              : shape == "square" ? square
                              : shape == "ring"   ? d < radius && d > 0.6 * radius
                                                  : square && (y / 4) % 2 == 0;
          for (const double t : tone)
            *pixel++ = static_cast<uint8_t>((inside ? t : 60) + rng.uniform(-30, 30));
        }
      const std::string bytes = apps::encode_png(image);
      std::ofstream(folder / shape / (std::to_string(i) + ".png"), std::ios::binary) << bytes;
    }
  }
}

// Runs `steps` steps of 24 rows, 8 images three times each, with LossTransform.
static void train(nn::Layer& model, nn::Sgd& optimizer, const data::ImageDataset& images,
                  int steps) {
  // Photographs: a random part of each, mirrored and recoloured. The loader's worker decodes them.
  data::AugmentOptions augment{.flip = true, .affine = {}};
  augment.random_resized_crop = true;
  augment.resized_crop.scale_low = 0.5;
  augment.jitter = {.brightness = 0.2, .contrast = 0.2, .saturation = 0.2, .hue = 0.05};
  data::DataLoader loader(images, std::make_shared<data::GroupedSampler>(images.size(), 3, 1),
                          data::train_augment(augment, images),
                          {.batch = 24, .drop_last = true, .workers = 1, .seed = 1});
  for (int step = 0; step < steps; ++step) {
    auto batch = loader.next();
    if (!batch) batch = loader.next();  // the next epoch
    const Tensor groups = Tensor::from(batch->groups, {batch->size()});
    optimizer.zero_grad();
    losses::loss_transform(model(batch->images), batch->labels, groups, {.rho = 1}).backward();
    optimizer.step();
  }
}

static std::unique_ptr<models::Classifier> make_model(const std::string& name,
                                                      const data::ImageDataset& images) {
  auto model = models::make_model(
      name, {.image_size = images.height(), .in_channels = 3, .num_classes = images.classes()});
  nn::init(*model, 1);
  return model;
}

int main(int argc, char** argv) {
  const fs::path scratch =
      fs::temp_directory_path() / ("ditto-tutorial-" + std::to_string(getpid()));
  fs::path folder = argc > 1 ? argv[1] : "", weights = argc > 2 ? argv[2] : "";
  const std::string name = argc > 3 ? argv[3] : "resnet20";
  const bool own_pictures = folder.empty();
  const data::ImageFolderOptions options{.image_size = own_pictures ? 32 : 224};

  if (own_pictures) {
    // The first task, whose weights stand for those that one usually downloads.
    draw_folder(scratch / "first", {"disc", "stripes"}, 80);
    const auto images = data::load_image_folder(scratch / "first", data::Split::Train, options);
    const auto model = make_model(name, images);
    nn::Sgd optimizer(nn::parameter_groups(*model, 1e-4), {.lr = 0.05});
    train(*model, optimizer, images, 60);
    weights = scratch / "first.safetensors";
    apps::save_weights(weights, *model, name, images);
    folder = scratch / "second";
    draw_folder(folder, {"disc", "ring", "square"}, 80);
  }

  const auto images = data::load_image_folder(folder, data::Split::Train, options);
  const auto test = data::load_image_folder(folder, data::Split::Test, options);
  std::printf("%lld training and %lld test images of %lld classes\n", (long long)images.size(),
              (long long)test.size(), (long long)images.classes());
  const auto model = make_model(name, images);
  if (!weights.empty()) {
    const nn::LoadReport report = apps::load_pretrained(*model, weights);
    std::printf("%zu tensors loaded; the head keeps its first values: %zu tensors\n",
                report.loaded.size(), report.missing.size() + report.mismatched.size());
    // Frozen features: no gradients but the head's, and batch norm keeps its statistics.
    model->set_requires_grad(false);
    nn::ParameterGroup head;
    for (const nn::NamedParameter& p : model->named_parameters())
      if (p.name.starts_with("fc.") || p.name.starts_with("classifier.")) {
        Tensor tensor = p.tensor;
        head.parameters.push_back(tensor.set_requires_grad(true));
      }
    nn::Sgd optimizer({head}, {.lr = 0.1});
    model->eval();
    train(*model, optimizer, images, 30);
    std::printf("head alone: test accuracy %.3f\n", apps::evaluate(*model, test).accuracy);
    model->set_requires_grad(true);
  }
  model->train();
  nn::Sgd optimizer(nn::parameter_groups(*model, 1e-4), {.lr = 0.02});
  train(*model, optimizer, images, 80);
  const double accuracy = apps::evaluate(*model, test).accuracy;
  std::printf("all of it: test accuracy %.3f\n", accuracy);

  // One image, as it would come from a camera.
  const fs::path file = data::list_images(folder).front();
  const Tensor pixels = data::read_image(file);
  Rng unused(0);
  NoGrad guard;
  model->eval();
  const Tensor input =
      data::eval_augment(test)->draw(unused, test.info(pixels.dim(0), pixels.dim(1))).apply(pixels);
  const Tensor p = softmax((*model)(reshape(input, {1, test.height(), test.width(), 3})));
  for (int64_t k = 0; k < test.classes(); ++k)
    std::printf("%s: p(%s) = %.3f\n", file.filename().c_str(),
                test.class_names()[static_cast<size_t>(k)].c_str(), p.to_vector<double>()[k]);
  if (own_pictures) fs::remove_all(scratch);
  return !own_pictures || accuracy > 0.6 ? 0 : 1;  // chance is a third
}
