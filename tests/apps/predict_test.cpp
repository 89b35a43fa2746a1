#include "apps/classification/predict_command.h"

#include "apps/common/files.h"
#include "apps/common/json.h"
#include "apps/common/png.h"
#include "nn/init.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace ditto::apps {
namespace {

using testing::contains;

data::ImageDataset noise(int64_t n) {
  Rng rng(5);
  std::vector<uint8_t> pixels(static_cast<size_t>(n) * 8 * 8 * 3);
  for (uint8_t& v : pixels) v = static_cast<uint8_t>(rng.below(256));
  return data::ImageDataset("noise", Tensor::from(pixels, {n, 8, 8, 3}),
                            Tensor::zeros({n}, Dtype::I64), {"cat", "dog, \"big\"", "cow"},
                            {{0.5f, 0.4f, 0.3f}, {0.25f, 0.2f, 0.3f}});
}

struct Fixture {
  testing::TempDir folder;
  data::ImageDataset dataset = noise(4);
  TrainedModel trained;
  std::vector<std::filesystem::path> files;

  Fixture() {
    auto model = models::make_model("mlp", {.image_size = 8, .in_channels = 3, .num_classes = 3});
    nn::init(*model, 1);
    save_weights(folder / "weights.safetensors", *model, "mlp", dataset);
    trained = load_weights(folder / "weights.safetensors");
    for (int64_t i = 0; i < dataset.size(); ++i) {
      files.push_back(folder / (std::to_string(i) + ".png"));
      write_file(files.back(), encode_png(dataset.image(i)));
    }
  }
};

}  // namespace

TEST_CASE("predict: files get the predictions of the same images in memory", "[apps]") {
  const Fixture f;
  for (const TtaOptions& tta : {TtaOptions{}, TtaOptions{.views = {"mirror", "shift"}}}) {
    const auto predictions = predict_files(f.trained, f.files, 2, tta);
    const Predictions expected = predict(*f.trained.model, f.dataset, tta);
    REQUIRE(predictions.size() == 4);
    for (int64_t i = 0; i < 4; ++i) {
      const FilePrediction& p = predictions[static_cast<size_t>(i)];
      CHECK(p.file == f.files[static_cast<size_t>(i)].string());
      CHECK(p.error.empty());
      REQUIRE(p.guesses.size() == 2);
      const auto top = expected.top(i, 2);
      for (size_t rank = 0; rank < 2; ++rank) {
        CHECK(p.guesses[rank].index == top[rank]);
        CHECK(p.guesses[rank].name == f.dataset.class_names()[static_cast<size_t>(top[rank])]);
        CHECK(p.guesses[rank].probability ==
              Approx(expected.row(i)[static_cast<size_t>(top[rank])]).epsilon(1e-6));
      }
    }
  }
}

TEST_CASE("predict: what cannot be read is named and the rest is classified", "[apps]") {
  Fixture f;
  write_file(f.files[1], "no picture");
  f.files.push_back(f.folder / "none.png");
  const auto predictions = predict_files(f.trained, f.files, 1);
  REQUIRE(predictions.size() == 5);
  const Predictions expected = predict(*f.trained.model, f.dataset);
  for (const int64_t i : {0, 2, 3}) {
    REQUIRE(predictions[static_cast<size_t>(i)].guesses.size() == 1);
    CHECK(predictions[static_cast<size_t>(i)].guesses[0].index == expected.top(i, 1)[0]);
  }
  CHECK(predictions[1].guesses.empty());
  CHECK_THAT(predictions[1].error, contains("[image]") && contains("1.png"));
  CHECK_THAT(predictions[4].error, contains("none.png"));
  CHECK(predict_files(f.trained, {f.files[1]}, 1)[0].guesses.empty());  // none is readable
  CHECK(predict_files(f.trained, {}, 1).empty());

  const std::string csv = predictions_csv(predictions, 1);
  CHECK(csv.rfind("file,class_1,probability_1,error\n", 0) == 0);
  CHECK_THAT(csv, contains("1.png,,,"));
  const Json json = parse_json(predictions_json(predictions), "predictions");
  REQUIRE(json.size() == 5);
  CHECK(json[0]["predictions"][0]["index"] == predictions[0].guesses[0].index);
  CHECK(json[0]["predictions"][0]["probability"] == predictions[0].guesses[0].probability);
  CHECK_FALSE(json[1].contains("predictions"));
  CHECK(json[4]["error"] == predictions[4].error);
}

TEST_CASE("predict: tables keep names with commas and quotes whole", "[apps]") {
  const std::vector<FilePrediction> predictions = {
      {.file = "a.png", .guesses = {{1, "dog, \"big\"", 0.75}, {0, "cat", 0.25}}, .error = ""},
      {.file = "b,c.png", .guesses = {}, .error = "bad"}};
  CHECK(predictions_csv(predictions, 2) ==
        "file,class_1,probability_1,class_2,probability_2,error\n"
        "a.png,\"dog, \"\"big\"\"\",0.75,cat,0.25,\n"
        "\"b,c.png\",,,,,bad\n");
}

TEST_CASE("predict: weights without preprocessing are refused", "[apps]") {
  Fixture f;
  f.trained.info.statistics = {};
  CHECK_THROWS_WITH(predict_files(f.trained, f.files, 1), contains("no mean and std"));
}

}  // namespace ditto::apps
