// The models by name: parameter counts and names, the option A shortcut, input checks.
#include "models/models.h"

#include <map>

#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "models/densenet.h"
#include "models/mlp.h"
#include "models/resnet.h"
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

TEST_CASE("models: parameter counts", "[models]") {
  struct Row {
    const char* name;
    int64_t classes, count;
  };
  // Convolutions without bias, scale and shift per norm, classifier with bias.
  const std::vector<Row> rows = {{"resnet20", 10, 269'722},
                                 {"resnet32", 10, 464'154},
                                 {"resnet44", 10, 658'586},
                                 {"resnet56", 10, 853'018},
                                 {"resnet110", 10, 1'727'962},
                                 {"resnet38", 10, 561'370},
                                 {"resnet40", 10, 658'586},
                                 {"resnet20", 100, 275'572},
                                 {"resnet44", 100, 664'436},
                                 {"resnet110", 100, 1'733'812},
                                 {"resnet20-b", 10, 272'474},
                                 {"resnet44-b", 10, 661'338},
                                 {"resnet110-b", 10, 1'730'714},
                                 {"densenet40", 10, 1'019'722},
                                 {"densenet40", 100, 1'060'132},
                                 {"densenet-bc-100", 10, 769'162},
                                 {"densenet-bc-100", 100, 800'032},
                                 {"resnet18", 0, 11'168'832},
                                 {"resnet18", 10, 11'173'962},
                                 {"resnet34", 0, 21'276'992},
                                 {"resnet34", 10, 21'282'122},
                                 {"resnet50", 0, 23'500'352},
                                 {"resnet50", 10, 23'520'842},
                                 {"resnet101", 0, 42'492'480},
                                 {"resnet101", 10, 42'512'970},
                                 {"resnet18-imagenet", 1000, 11'689'512},
                                 {"resnet34-imagenet", 1000, 21'797'672},
                                 {"resnet50-imagenet", 1000, 25'557'032},
                                 {"resnet101-imagenet", 1000, 44'549'160}};
  for (const Row& row : rows) {
    INFO(row.name << " with " << row.classes << " classes");
    CHECK(make_model(row.name, {.num_classes = row.classes})->parameter_count() == row.count);
  }
  CHECK(DenseNet({.init_channels = 24}).parameter_count() == 1'059'298);
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
  CHECK_THROWS_WITH(ResNet({.depth = 20}), contains("[resnet]") && contains("20"));
  CHECK_THROWS_WITH(DenseNet({.depth = 41}), contains("[densenet]") && contains("3 n + 4"));
  CHECK_THROWS_WITH(DenseNet({.depth = 43, .bottleneck = true}), contains("6 n + 4"));
  CHECK_THROWS_WITH(DenseNet({.compression = 0}), contains("[densenet] compression"));
  CHECK_THROWS_WITH(BasicBlock(8, 4, 1, Shortcut::Pad), contains("option A"));
}

TEST_CASE("models: option A takes every second pixel and appends zero channels", "[models]") {
  // Fresh parameters are zero, so the convolutions' branch adds nothing: the block gives its
  // shortcut.
  BasicBlock block(3, 8, 2, Shortcut::Pad);
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

TEST_CASE("models: without classes a model gives its features", "[models]") {
  struct Row {
    const char* name;
    int64_t image, features;
  };
  for (const Row& row : {Row{"resnet20", 9, 64}, Row{"resnet20-b", 8, 64}, Row{"resnet18", 8, 512},
                         Row{"resnet18-imagenet", 33, 512}, Row{"resnet50", 8, 2048},
                         Row{"densenet40", 9, 448}, Row{"densenet-bc-100", 8, 342}}) {
    INFO(row.name);
    const Tensor x = positive({2, row.image, row.image, 3});
    const auto encoder = make_model(row.name, {.num_classes = 0});
    nn::init(*encoder, 1);
    encoder->eval();
    const Tensor features = encoder->forward(x);
    REQUIRE(features.shape() == Shape{2, row.features});
    // The same network with a classifier computes a linear map of these features.
    const auto classifier = make_model(row.name, {.num_classes = 5});
    nn::init(*classifier, 1);
    classifier->eval();
    const auto parameters = classifier->named_parameters();
    const Tensor w = parameters[parameters.size() - 2].tensor, b = parameters.back().tensor;
    CHECK(w.shape() == Shape{5, row.features});
    const auto expected = linear(features, w, b).detach().to_vector<float>();
    CHECK(classifier->forward(x).detach().to_vector<float>() == expected);
  }
}

TEST_CASE("models: DenseNet's names and shapes are torchvision's", "[models]") {
  const auto shapes_of = [](const char* name) {
    std::map<std::string, Shape> shapes;
    for (const nn::NamedParameter& p : make_model(name, {})->named_parameters())
      shapes[p.name] = p.tensor.shape();
    return shapes;
  };
  auto plain = shapes_of("densenet40");
  CHECK(plain["features.conv0.weight"] == Shape{16, 3, 3, 3});
  CHECK(plain["features.denseblock1.denselayer1.norm1.weight"] == Shape{16});
  CHECK(plain["features.denseblock1.denselayer12.conv1.weight"] == Shape{12, 3, 3, 148});
  CHECK(plain["features.transition1.norm.bias"] == Shape{160});
  CHECK(plain["features.transition2.conv.weight"] == Shape{304, 1, 1, 304});
  CHECK(plain["features.norm5.weight"] == Shape{448});
  CHECK(plain["classifier.weight"] == Shape{10, 448});
  CHECK(plain.size() == 2 * (36 + 2 + 1) + 36 + 2 + 1 + 2);
  auto bottleneck = shapes_of("densenet-bc-100");
  CHECK(bottleneck["features.conv0.weight"] == Shape{24, 3, 3, 3});
  CHECK(bottleneck["features.denseblock3.denselayer16.conv1.weight"] == Shape{48, 1, 1, 330});
  CHECK(bottleneck["features.denseblock3.denselayer16.norm2.weight"] == Shape{48});
  CHECK(bottleneck["features.denseblock3.denselayer16.conv2.weight"] == Shape{12, 3, 3, 48});
  CHECK(bottleneck["features.transition1.conv.weight"] == Shape{108, 1, 1, 216});
}

TEST_CASE("models: input that does not fit is an error", "[models]") {
  const auto model = make_model("resnet20", {});
  CHECK_THROWS_WITH(model->forward(positive({2, 32, 32, 1})), contains("[conv2d]"));
  CHECK_THROWS_WITH(model->forward(positive({32, 32, 3})), contains("[conv2d]"));
  CHECK_THROWS_AS(model->forward(Tensor()), Error);
  CHECK_THROWS_AS(model->forward(positive({2, 32, 32, 3}).to(Dtype::F64)), Error);
  CHECK_THROWS_WITH(make_model("resnet20", {.num_classes = -1}), contains("[resnet]"));
  CHECK_THROWS_WITH(make_model("resnet18", {.num_classes = -1}), contains("[resnet]"));
  CHECK_THROWS_WITH(make_model("densenet40", {.num_classes = -1}), contains("[densenet]"));
  CHECK_THROWS_WITH(make_model("mlp", {.num_classes = 0}), contains("[models] mlp"));
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
