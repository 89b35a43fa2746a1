// Training and evaluation on a folder of images, through the parts that train_cifar is made of.
#include "apps/classification/evaluation.h"
#include "apps/classification/run_saver.h"
#include "apps/classification/trainer.h"
#include "apps/classification/views.h"
#include "apps/classification/weights.h"
#include "apps/common/build_info.h"
#include "data/image_folder.h"
#include "tests/support/catch.h"
#include "tests/support/image_files.h"

using namespace ditto;
using namespace ditto::apps;
using testing::contains;
using testing::TempDir;

namespace {

// Reddish and bluish pictures of many sizes; `damaged` of the training images are none.
void make_folder(const TempDir& dir, int per_class, int damaged) {
  for (const std::string split : {"train", "val"})
    for (int label = 0; label < 2; ++label) {
      const auto folder = dir / (split + "/" + (label == 0 ? "red" : "blue"));
      std::filesystem::create_directories(folder);
      for (int i = 0; i < per_class; ++i) {
        const auto tone = static_cast<uint8_t>(120 + 5 * (i % 20));
        const auto low = static_cast<uint8_t>(3 * (i % 30));
        const auto width = static_cast<uint32_t>(20 + i % 7), height = uint32_t{24};
        const bool bad = split == "train" && i < damaged;
        testing::write_file(folder / (std::to_string(1000 + i) + ".png"),
                            bad          ? "damaged"
                            : label == 0 ? testing::plain_png(width, height, tone, low, low)
                                         : testing::plain_png(width, height, low, low, tone));
      }
    }
}

TrainOptions options_for(const TempDir& dir) {
  TrainOptions options;
  options.data.dataset = "folder";
  options.data.data_root = dir.path().string();
  options.data.image_size = 16;
  options.model = "mlp";
  options.batch = 16;
  options.steps = 25;
  options.lr = 0.02;
  return options;
}

}  // namespace

TEST_CASE("folder training: learns two colours, and its weights see a folder as in training") {
  const TempDir dir;
  make_folder(dir, 32, 0);
  const TrainOptions options = options_for(dir);
  const DataPair data = load_data(options.data);
  Trainer trainer(options, "t-cce", data.train, data.test);
  double test_error = 1;
  trainer.run({.on_epoch = [&](const EpochMetrics& m) { test_error = m.test_error; }});
  CHECK(test_error <= 0.05);
  const auto path = dir / "weights.safetensors";
  save_weights(path, trainer.model(), options.model, data.train);
  const TrainedModel trained = load_weights(path);
  CHECK(trained.info.shape.image_size == 16);
  CHECK(trained.info.class_names == std::vector<std::string>{"blue", "red"});
  CHECK(trained.info.statistics.mean == data::imagenet_statistics().mean);
  CHECK(evaluate(*trained.model, data.test).accuracy == Approx(1 - test_error));

  const Predictions predictions = predict(*trained.model, data.test, {.views = {"mirror"}});
  CHECK(predictions.size() == 64);
  CHECK(evaluate_predictions(predictions).top1 >= 0.95);
  const ViewSet views = augmented_views(options, data.train, 2, 3);
  CHECK(views.pictures.shape() == Shape{6, 16, 16, 3});
  CHECK(plain_pictures(data.train, 2).shape() == Shape{2, 16, 16, 3});
  // Blue pictures stay blue.
  CHECK(plain_pictures(data.train, 1).data<uint8_t>()[2] >= 110);
}

TEST_CASE("folder training: images that cannot be read are left out and listed, or stop it") {
  const TempDir dir;
  make_folder(dir, 32, 3);
  TrainOptions options = options_for(dir);
  options.steps = 8;
  options.accumulate = 2;
  {
    const DataPair data = load_data(options.data);
    Trainer trainer(options, "cce", data.train, data.test);
    CHECK_THROWS_WITH(trainer.run({}), contains("train/") && contains("neither JPEG nor PNG"));
  }
  for (const std::string policy : {"skip", "zero"}) {
    options.data.on_bad_image = policy;
    const DataPair data = load_data(options.data);
    Trainer trainer(options, "t-cce", data.train, data.test);
    trainer.run({});
    CHECK(data.train.bad_images().size() == 6);
    CHECK(evaluate(trainer.model(), data.train).images == (policy == "skip" ? 58 : 64));
    CHECK(predict(trainer.model(), data.train, {.views = {"mirror"}}).size() ==
          (policy == "skip" ? 58 : 64));
  }
}

TEST_CASE("folder training: accuracy counts the images that could be read") {
  const TempDir dir;
  make_folder(dir, 32, 3);
  TrainOptions options = options_for(dir);
  options.data.on_bad_image = "skip";
  const DataPair data = load_data(options.data);
  Trainer trainer(options, "t-cce", data.train, data.test);
  double train_error = 1;
  trainer.run({.on_epoch = [&](const EpochMetrics& m) { train_error = m.train_error; }});
  CHECK(train_error >= 0);
  CHECK(train_error <= 0.05);  // 6 of 64 are 9 %
}

TEST_CASE("folder training: a run does not go on with other data") {
  const TempDir dir;
  make_folder(dir, 4, 0);
  TrainOptions options = options_for(dir);
  Checkpoint checkpoint;
  const Json before = describe_data(load_data(options.data));
  checkpoint.trainer = {{"data", before}, {"git_revision", kBuildInfo.git_revision}};
  CHECK(check_same_data_and_program(checkpoint, describe_data(load_data(options.data))) == "");
  // The same under another name is the same.
  const TempDir elsewhere;
  std::filesystem::copy(dir.path(), elsewhere.path(), std::filesystem::copy_options::recursive);
  options.data.data_root = elsewhere.path();
  CHECK(check_same_data_and_program(checkpoint, describe_data(load_data(options.data))) == "");
  std::filesystem::path one;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(elsewhere / "train"))
    if (entry.is_regular_file()) one = entry.path();
  std::filesystem::copy(one, one.parent_path() / "one_more.png");
  CHECK_THROWS_WITH(check_same_data_and_program(checkpoint, describe_data(load_data(options.data))),
                    contains("training images or labels are not those"));
  checkpoint.trainer["git_revision"] = "0123abc";
  CHECK_THAT(check_same_data_and_program(checkpoint, before), contains("revision 0123abc"));
  // Checkpoints of before there was a fingerprint.
  checkpoint.trainer = Json::object();
  CHECK(check_same_data_and_program(checkpoint, before) == "");
}

TEST_CASE("folder training: every option of the augmentation reaches the images") {
  const TempDir dir;
  make_folder(dir, 4, 0);
  // Lighter to the right, so that no change of geometry or colour leaves it as it is.
  std::string rows;
  for (int y = 0; y < 24; ++y) {
    rows += '\0';
    for (int x = 0; x < 40; ++x)
      for (const int v : {6 * x, 5 * y, 3 * x + 2 * y}) rows += static_cast<char>(v);
  }
  for (int i = 0; i < 4; ++i)
    testing::write_file(dir / ("train/red/" + std::to_string(1000 + i) + ".png"),
                        testing::png_file(40, 24, rows));
  TrainOptions plain = options_for(dir);
  plain.flip = false;
  plain.crop_padding = 0;
  plain.rrc = "off";
  const DataPair data = load_data(plain.data);
  const auto seen = [&](const TrainOptions& options) {
    return augmented_views(options, data.train, 8, 4).inputs.to_vector<float>();
  };
  const auto unchanged = seen(plain);
  const std::vector<std::pair<const char*, std::function<void(TrainOptions&)>>> changes = {
      {"flip", [](TrainOptions& o) { o.flip = true; }},
      {"crop-padding", [](TrainOptions& o) { o.crop_padding = 3; }},
      {"cutout", [](TrainOptions& o) { o.cutout = 4; }},
      {"rotate", [](TrainOptions& o) { o.affine.degrees = 20; }},
      {"shear", [](TrainOptions& o) { o.affine.shear = 20; }},
      {"rand-affine", [](TrainOptions& o) { o.rand_affine = 0.5; }},
      {"rrc", [](TrainOptions& o) { o.rrc = "on"; }},
      {"jitter",
       [](TrainOptions& o) {
         o.jitter = {0.4, 0.4, 0.4, 0.1};
       }},
      {"grayscale", [](TrainOptions& o) { o.grayscale = 1; }},
      {"blur", [](TrainOptions& o) { o.blur = 1; }},
      {"solarize", [](TrainOptions& o) { o.solarize = 1; }},
  };
  for (const auto& [name, change] : changes) {
    INFO(name);
    TrainOptions options = plain;
    change(options);
    CHECK(seen(options) != unchanged);
  }
  CHECK(seen(plain) == unchanged);
}

TEST_CASE("folder training: samplers, jitter and their rules") {
  const TempDir dir;
  make_folder(dir, 130, 0);
  TrainOptions options = options_for(dir);
  options.steps = 2;
  options.jitter = {0.4, 0.4, 0.4, 0.1};
  options.grayscale = 0.2;
  options.replicas = 3;  // does not divide the batch, which only groups demand
  const DataPair data = load_data(options.data);
  for (const std::string sampler : {"ra", "random"}) {
    options.sampler = sampler;
    Trainer trainer(options, sampler == "ra" ? "t-cce" : "cce", data.train, data.test);
    CHECK(trainer.steps_per_epoch() == 16);  // 256 or 260 rows of 16
    trainer.run({});
  }
  CHECK_THROWS_WITH(Trainer(options, "t-cce", data.train, data.test),
                    contains("compares replicas"));
  options.replicas = 4;
  for (const std::string sampler : {"groups", "all"}) {
    options.sampler = sampler;
    Trainer trainer(options, "t-cce", data.train, data.test);
    CHECK(trainer.steps_per_epoch() == (sampler == "all" ? 65 : 16));  // 1040 or 260 rows of 16
    trainer.run({});
  }
  options.replicas = 3;
  options.loss = "t-cce";
  CHECK_THROWS_WITH(check_options(options), contains("cannot hold whole groups of replicas 3"));
  options.sampler = "ra";
  CHECK_THROWS_WITH(Trainer(options, "t-cce", data.train.subset(255), data.test),
                    contains("at least 256 training images, got 255"));
  options.jitter = {0.4};
  CHECK_THROWS_WITH(check_options(options), contains("four amounts"));
  options.jitter = {0.4, 0.4, 0.4, 0.6};
  CHECK_THROWS_WITH(check_options(options), contains("at most 0.5"));
  options.data.mean = {0.5};
  CHECK_THROWS_WITH(load_data(options.data), contains("mean and std"));
}

TEST_CASE("folder training: any data set can be brought to another size") {
  const data::ImageDataset small("small", Tensor::full({20, 12, 10, 3}, 77, Dtype::U8),
                                 Tensor::zeros({20}, Dtype::I64), {"a", "b"},
                                 {{0.5f, 0.5f, 0.5f}, {0.25f, 0.25f, 0.25f}});
  const data::ImageDataset large = small.resized(32, 32);
  TrainOptions options;
  options.model = "mlp";
  options.batch = 8;
  options.steps = 1;
  Trainer trainer(options, "cce", large, large);
  trainer.run({});
  CHECK(evaluate(trainer.model(), large).images == 20);
  CHECK(plain_pictures(large, 1).to_vector<int>()[500] == 77);
}
