// The models by name: parameter counts and names, the option A shortcut, input checks.
#include "models/models.h"

#include <map>

#include "autograd/ops/reduce.h"
#include "models/mlp.h"
#include "models/resnet_cifar.h"
#include "tests/support/catch.h"
#include "tests/support/hash_values.h"

namespace ditto::models {
namespace {

using testing::contains;

std::vector<std::string> names_of(const std::vector<nn::NamedParameter>& parameters) {
  std::vector<std::string> names;
  for (const nn::NamedParameter& p : parameters) names.push_back(p.name);
  return names;
}

// Elements in [0.5, 1.5), positive so that a ReLU passes them.
Tensor positive(const Shape& shape) {
  return Tensor::from(testing::hash_values(1, shape.numel(), 0.5, 1.5), shape);
}

}  // namespace

TEST_CASE("models: parameter counts of the CIFAR ResNets", "[models]") {
  struct Row {
    const char* name;
    int64_t cifar10, cifar100;
  };
  // Convolutions without bias, scale and shift per norm, classifier with bias; 90 more classes cost
  // 90 * 65.
  const std::vector<Row> rows = {
      {"resnet20", 269'722, 275'572},      {"resnet32", 464'154, 470'004},
      {"resnet44", 658'586, 664'436},      {"resnet56", 853'018, 858'868},
      {"resnet110", 1'727'962, 1'733'812}, {"resnet40", 658'586, 664'436}};
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(make_model(row.name, {.num_classes = 10})->parameter_count() == row.cifar10);
    CHECK(make_model(row.name, {.num_classes = 100})->parameter_count() == row.cifar100);
  }
  // One image channel: the first convolution has 2 * 9 * 16 weights less.
  CHECK(make_model("resnet20", {.in_channels = 1})->parameter_count() == 269'722 - 288);
}

TEST_CASE("models: every name of the list builds", "[models]") {
  for (const std::string& name : model_names()) {
    INFO(name);
    CHECK(make_model(name, {})->parameter_count() > 0);
  }
}

TEST_CASE("models: ResNet-20's names and shapes are torchvision's", "[models]") {
  std::vector<std::string> weights{"conv1.weight", "bn1.weight", "bn1.bias"};
  std::vector<std::string> buffers;
  const auto add_buffers = [&](const std::string& norm) {
    for (const char* name : {"running_mean", "running_var", "num_batches_tracked"})
      buffers.push_back(norm + "." + name);
  };
  add_buffers("bn1");
  for (const std::string stage : {"layer1.", "layer2.", "layer3."}) {
    for (const std::string block : {"0.", "1.", "2."}) {
      for (const std::string half : {"1", "2"}) {
        weights.push_back(stage + block + "conv" + half + ".weight");
        weights.push_back(stage + block + "bn" + half + ".weight");
        weights.push_back(stage + block + "bn" + half + ".bias");
        add_buffers(stage + block + "bn" + half);
      }
    }
  }
  weights.push_back("fc.weight");
  weights.push_back("fc.bias");
  const auto model = make_model("resnet20", {});
  CHECK(names_of(model->named_parameters()) == weights);
  CHECK(names_of(model->named_buffers()) == buffers);

  std::map<std::string, Shape> shapes;
  for (const nn::NamedParameter& p : model->named_parameters()) shapes[p.name] = p.tensor.shape();
  CHECK(shapes["conv1.weight"] == Shape{16, 3, 3, 3});
  CHECK(shapes["layer2.0.conv1.weight"] == Shape{32, 3, 3, 16});
  CHECK(shapes["layer3.2.conv2.weight"] == Shape{64, 3, 3, 64});
  CHECK(shapes["layer3.2.bn2.bias"] == Shape{64});
  CHECK(shapes["fc.weight"] == Shape{10, 64});
}

TEST_CASE("models: resnet40 is ResNet-44 and says so", "[models]") {
  std::string note;
  const auto model = make_model("resnet40", {}, &note);
  CHECK_THAT(note, contains("ResNet-44"));
  CHECK(names_of(model->named_parameters()) ==
        names_of(make_model("resnet44", {})->named_parameters()));
  note.clear();
  make_model("resnet44", {}, &note);
  CHECK(note.empty());
}

TEST_CASE("models: an unknown name or depth is an error", "[models]") {
  CHECK_THROWS_WITH(make_model("resnet21", {}), contains("[models] unknown model 'resnet21'") &&
                                                    contains("resnet20") && contains("mlp"));
  CHECK_THROWS_WITH(ResNetCifar({.depth = 40}), contains("[resnet]") && contains("40"));
  CHECK_THROWS_WITH(ResNetCifar({.depth = 2}), contains("[resnet]"));
}

TEST_CASE("models: option A takes every second pixel and appends zero channels", "[models]") {
  // Fresh parameters are zero, so the convolutions' branch adds nothing: the block gives its
  // shortcut.
  BasicBlock block(3, 8, 2);
  for (const Shape& shape : {Shape{2, 6, 4, 3}, Shape{1, 5, 7, 3}}) {
    INFO(to_string(shape));
    Tensor x = positive(shape);
    x.set_requires_grad(true);
    const Tensor y = block.forward(x);
    const int64_t height = (shape[1] + 1) / 2, width = (shape[2] + 1) / 2;
    REQUIRE(y.shape() == Shape{shape[0], height, width, 8});
    sum(y).backward();
    const auto in = x.detach().to_vector<float>(), out = y.detach().to_vector<float>(),
               grad = x.grad().to_vector<float>();
    std::vector<float> expected_grad(in.size(), 0);
    size_t wrong = 0, o = 0;
    for (int64_t n = 0; n < shape[0]; ++n)
      for (int64_t i = 0; i < height; ++i)
        for (int64_t j = 0; j < width; ++j)
          for (int64_t c = 0; c < 8; ++c, ++o) {
            const int64_t from = ((n * shape[1] + 2 * i) * shape[2] + 2 * j) * 3 + c;
            wrong += out[o] != (c < 3 ? in[static_cast<size_t>(from)] : 0);
            if (c < 3) expected_grad[static_cast<size_t>(from)] = 1;
          }
    CHECK(wrong == 0);
    CHECK(grad == expected_grad);
  }
}

TEST_CASE("models: a block of one width passes its input around the convolutions", "[models]") {
  BasicBlock block(4, 4, 1);
  const Tensor x = positive({2, 3, 5, 4});
  CHECK(block.forward(x).detach().to_vector<float>() == x.to_vector<float>());
}

TEST_CASE("models: logits and features for any image size", "[models]") {
  ResNetCifar model({.depth = 8, .in_channels = 1, .num_classes = 7});
  nn::init(model, 1);
  for (const int64_t size : {28, 32, 9}) {
    INFO(size);
    const Tensor x = positive({2, size, size, 1});
    CHECK(model.features(x).shape() == Shape{2, 64});
    CHECK(model.forward(x).shape() == Shape{2, 7});
  }
  // In evaluation an image's logits do not depend on the rest of the batch.
  model.eval();
  const Tensor x = positive({2, 8, 8, 1});
  const auto both = model.forward(x).detach().to_vector<float>();
  const Tensor first =
      Tensor::from(std::vector<float>(x.data<float>(), x.data<float>() + 64), {1, 8, 8, 1});
  const auto alone = model.forward(first).detach().to_vector<float>();
  for (size_t i = 0; i < alone.size(); ++i) CHECK(alone[i] == Approx(both[i]).epsilon(1e-5));
}

TEST_CASE("models: input that does not fit is an error", "[models]") {
  const auto model = make_model("resnet20", {});
  CHECK_THROWS_WITH(model->forward(positive({2, 32, 32, 1})), contains("[conv2d]"));
  CHECK_THROWS_WITH(model->forward(positive({32, 32, 3})), contains("[conv2d]"));
  CHECK_THROWS_AS(model->forward(Tensor()), Error);
  CHECK_THROWS_AS(model->forward(positive({2, 32, 32, 3}).to(Dtype::F64)), Error);
  CHECK_THROWS_WITH(make_model("resnet20", {.num_classes = 0}), contains("[linear]"));
  CHECK_THROWS_WITH(make_model("resnet20", {.in_channels = 0}), contains("[conv2d]"));
}

TEST_CASE("models: the MLP's layers", "[models]") {
  Mlp mlp({12, 5, 3});
  CHECK(mlp.parameter_count() == 12 * 5 + 5 + 5 * 3 + 3);
  nn::init(mlp, 1);
  CHECK(mlp.forward(positive({4, 2, 2, 3})).shape() == Shape{4, 3});
  CHECK_THROWS_WITH(mlp.forward(positive({4, 11})), contains("[linear]"));
  CHECK_THROWS_WITH(Mlp({12}), contains("[mlp]"));
  CHECK(make_model("mlp", {.image_size = 28, .in_channels = 1})->parameter_count() ==
        784 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10);
}

}  // namespace ditto::models
