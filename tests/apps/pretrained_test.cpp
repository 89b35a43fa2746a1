// Starting from given weights: what is loaded, what is left out and why, and what is refused.
#include "apps/classification/pretrained.h"

#include "apps/classification/trainer.h"
#include "core/serialize.h"
#include "models/models.h"
#include "nn/init.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace ditto::apps {
namespace {

using testing::contains;

void save(const nn::Module& model, const std::filesystem::path& path) {
  TensorMap tensors;
  for (const nn::StateEntry& entry : nn::state_dict(model)) tensors[entry.name] = entry.tensor;
  save_safetensors(path, tensors);
}

std::unique_ptr<nn::Layer> make(const char* name, int64_t classes, uint64_t seed) {
  auto model = models::make_model(name, {.num_classes = classes});
  nn::init(*model, seed);
  return model;
}

std::vector<float> values(const nn::Module& model, size_t parameter) {
  return model.parameters().at(parameter).detach().to_vector<float>();
}

}  // namespace

TEST_CASE("pretrained: a head of another shape stays as it is, the rest is loaded", "[apps]") {
  const testing::TempDir folder;
  for (const char* name : {"resnet20", "densenet40"}) {
    INFO(name);
    const auto path = folder / "weights.safetensors";
    const auto source = make(name, 10, 1), model = make(name, 3, 2);
    save(*source, path);
    const size_t head = model->parameters().size() - 2;
    const auto weight = values(*model, head), bias = values(*model, head + 1);
    const nn::LoadReport report = load_pretrained(*model, path);
    const size_t all = nn::state_dict(*model).size();
    CHECK(report.loaded.size() == all - 2);
    CHECK(report.mismatched.size() == 2);
    CHECK(report.missing.empty());
    CHECK(report.unexpected.empty());
    for (size_t i = 0; i < head; ++i) REQUIRE(values(*model, i) == values(*source, i));
    CHECK(values(*model, head) == weight);
    CHECK(values(*model, head + 1) == bias);
    const std::string text = pretrained_text(path, report);
    CHECK_THAT(text, contains("loaded " + std::to_string(all - 2) + " tensors: ") &&
                         contains(source->named_parameters()[1].name));
    CHECK_THAT(text, contains("skipped 2 tensors:") && contains("model f32 (3, ") &&
                         contains("file f32 (10, ") && contains("keeps its first values"));
  }
}

TEST_CASE("pretrained: everything fits, or one side has no head", "[apps]") {
  const testing::TempDir folder;
  const auto path = folder / "weights.safetensors", headless = folder / "encoder.safetensors";
  const auto source = make("resnet20", 10, 1);
  save(*source, path);
  save(*make("resnet20", 0, 1), headless);
  const auto model = make("resnet20", 10, 2);
  const nn::LoadReport all = load_pretrained(*model, path);
  CHECK(all.ok());
  CHECK_THAT(pretrained_text(path, all), contains("skipped 0 tensors"));
  CHECK(values(*model, model->parameters().size() - 1) ==
        values(*source, model->parameters().size() - 1));

  const nn::LoadReport without = load_pretrained(*make("resnet20", 10, 2), headless);
  CHECK(without.missing == std::vector<std::string>{"fc.weight", "fc.bias"});
  CHECK_THAT(pretrained_text(path, without), contains("fc.bias: not in the file"));
  const nn::LoadReport encoder = load_pretrained(*make("resnet20", 0, 2), path);
  CHECK(encoder.unexpected == std::vector<std::string>{"fc.bias", "fc.weight"});
  CHECK_THAT(pretrained_text(path, encoder), contains("fc.bias: not in the model"));
}

TEST_CASE("pretrained: weights of another model are refused and change nothing", "[apps]") {
  const testing::TempDir folder;
  const auto path = folder / "weights.safetensors";
  save(*make("resnet32", 10, 1), path);  // every tensor of ResNet-20 is in it, with its shape
  const auto model = make("resnet20", 10, 2);
  const auto before = values(*model, 0);
  CHECK_THROWS_WITH(load_pretrained(*model, path), contains("[pretrained]") &&
                                                       contains("weights.safetensors") &&
                                                       contains("unexpected: layer1.3.bn1.bias"));
  CHECK(values(*model, 0) == before);
  save(*make("resnet20-b", 10, 1), path);
  CHECK_THROWS_WITH(load_pretrained(*model, path), contains("downsample"));
  CHECK_THROWS_WITH(load_pretrained(*model, folder / "absent"), contains("absent"));
}

TEST_CASE("pretrained: a training starts from the weights", "[apps]") {
  const testing::TempDir folder;
  const auto path = folder / "weights.safetensors";
  const auto source = make("resnet20", 4, 7);
  save(*source, path);
  const data::ImageDataset dataset("gray", Tensor::full({8, 8, 8, 3}, 128, Dtype::U8),
                                   Tensor::zeros({8}, Dtype::I64), {"a", "b"},
                                   {{0.5f, 0.5f, 0.5f}, {0.25f, 0.25f, 0.25f}});
  TrainOptions options;
  options.batch = 4;
  options.init_weights = path.string();
  Trainer trainer(options, "cce", dataset, dataset);
  CHECK(values(trainer.model(), 0) == values(*source, 0));
  CHECK(trainer.pretrained().mismatched.size() == 2);
  options.init_weights.clear();
  CHECK(values(Trainer(options, "cce", dataset, dataset).model(), 0) != values(*source, 0));
}

}  // namespace ditto::apps
