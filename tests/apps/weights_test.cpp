#include "apps/classification/weights.h"

#include "core/serialize.h"
#include "nn/init.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace ditto::apps {
namespace {

data::ImageDataset two_classes() {
  return data::ImageDataset("stripes", Tensor::zeros({2, 8, 8, 1}, Dtype::U8),
                            Tensor::from(std::vector<int64_t>{0, 1}, {2}), {"upper \"½\"", "lower"},
                            {{0.1f}, {0.3f}});
}

}  // namespace

TEST_CASE("weights: a file holds the model, its classes and its preprocessing", "[apps]") {
  const testing::TempDir folder;
  const auto path = folder.path() / "weights.safetensors";
  auto model = models::make_model("mlp", {.image_size = 8, .in_channels = 1, .num_classes = 2});
  nn::init(*model, 3);
  save_weights(path, *model, "mlp", two_classes());
  const TrainedModel loaded = load_weights(path);
  CHECK(loaded.info.model == "mlp");
  CHECK(loaded.info.dataset == "stripes");
  CHECK(loaded.info.shape.image_size == 8);
  CHECK(loaded.info.class_names == std::vector<std::string>{"upper \"½\"", "lower"});
  CHECK(loaded.info.statistics.mean == std::vector<float>{0.1f});
  CHECK(loaded.info.statistics.std == std::vector<float>{0.3f});
  CHECK(loaded.info.fill == std::vector<float>{0.1f});  // the mean, where the data set has no other
  CHECK_FALSE(loaded.model->training());
  const auto before = model->parameters(), after = loaded.model->parameters();
  REQUIRE(before.size() == after.size());
  for (size_t i = 0; i < before.size(); ++i)
    CHECK(before[i].detach().to_vector<float>() == after[i].detach().to_vector<float>());
}

TEST_CASE("weights: metadata that lies or lacks something is an error with its name", "[apps]") {
  const testing::TempDir folder;
  const auto path = folder.path() / "weights.safetensors";
  const auto model =
      models::make_model("mlp", {.image_size = 8, .in_channels = 1, .num_classes = 2});
  save_weights(path, *model, "mlp", two_classes());
  const SafetensorsFile good = load_safetensors(path);
  // The file with one entry of its metadata replaced ("" removes it).
  const auto with = [&](const std::string& key, const std::string& value) {
    Metadata metadata = good.metadata;
    metadata[key] = value;
    if (value.empty()) metadata.erase(key);
    save_safetensors(path, good.tensors, metadata);
  };
  using testing::contains;
  for (const char* key : {"model", "dataset", "image_size", "in_channels", "num_classes"}) {
    with(key, "");
    CHECK_THROWS_WITH(load_weights(path),
                      contains("no entry " + std::string(key)) && contains("weights.safetensors"));
  }
  for (const char* size : {"0", "-1", "8.5", "99999999999999999999", "x"}) {
    with("image_size", size);
    CHECK_THROWS_WITH(load_weights(path), contains("metadata image_size is not a size"));
  }
  for (const char* list :
       {"[", "{}", "[1,2]", "[\"a\"]", "[\"a\",\"b\",\"c\"]", "[\"a\",\"\\u001b\"]"}) {
    with("class_names", list);
    CHECK_THROWS_WITH(load_weights(path), contains("metadata class_names"));
  }
  for (const char* list : {"[0]", "[-1]", "[1e99]", "[\"1\"]", "[1,1]"}) {
    with("std", list);
    CHECK_THROWS_WITH(load_weights(path), contains("metadata std"));
  }
  for (const char* scale : {"0", "-1", "x", "1e999", "[1]"}) {
    with("head_cosine_scale", scale);
    CHECK_THROWS_WITH(load_weights(path), contains("metadata head_cosine_scale"));
  }
  with("head_cosine_scale", "8");  // such a head has no bias
  CHECK_THROWS_WITH(load_weights(path), contains("bias"));
  with("num_classes", "3");
  CHECK_THROWS_WITH(load_weights(path), contains("class_names"));
  with("model", "no-such-model");
  CHECK_THROWS_WITH(load_weights(path), contains("no-such-model"));
  with("image_size", "9");
  CHECK_THROWS_WITH(load_weights(path), contains("mismatched"));
  CHECK_THROWS_WITH(load_weights(folder.path() / "none.safetensors"), contains("none.safetensors"));

  // What a file from elsewhere need not have.
  Metadata metadata = good.metadata;
  for (const char* key : {"class_names", "mean", "std"}) metadata.erase(key);
  save_safetensors(path, good.tensors, metadata);
  const TrainedModel bare = load_weights(path);
  CHECK(bare.info.class_names.empty());
  CHECK(bare.info.class_name(1) == "class 1");
  CHECK(bare.info.statistics.mean.empty());
}

}  // namespace ditto::apps
