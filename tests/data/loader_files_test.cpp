// Loaders of images that lie in files: sizes, bad images, and how often a file is read.
#include "data/loader.h"

#include <cmath>

#include "data/image_folder.h"
#include "tests/data/loader_samples.h"
#include "tests/support/catch.h"
#include "tests/support/counting_reader.h"
#include "tests/support/image_files.h"

using namespace ditto;
using namespace ditto::data;
using namespace ditto::testing;

namespace {

// The whole image on a canvas of 8 x 8, mirrored half of the time.
class Fit : public Augment {
 public:
  Transform draw(Rng& rng, const ImageInfo& info) const override {
    Affine map = Affine::scaling(8.0 / info.width, 8.0 / info.height);
    if (rng.chance(0.5)) map = map.then(Affine{-1, 0, 8, 0, 1, 0});
    return Transform::geometric(info, map, 8, 8);
  }
};

}  // namespace

TEST_CASE("loader: images of different sizes from files, the same for any number of workers") {
  const TempDir dir;
  for (int i = 0; i < 23; ++i) {
    const auto folder = dir / ("train/" + std::to_string(i % 3));
    std::filesystem::create_directories(folder);
    testing::write_file(folder / (std::to_string(100 + i) + ".png"),
                        testing::plain_png(static_cast<uint32_t>(4 + i), static_cast<uint32_t>(9),
                                           static_cast<uint8_t>(10 * i), 0, 0));
  }
  const ImageDataset data = load_image_folder(dir.path(), Split::Train, {.image_size = 8});
  const auto sampler = std::make_shared<GroupedSampler>(23, 2, 5, true);
  std::vector<std::vector<double>> expected;
  for (int workers : {0, 1, 4}) {
    DataLoader loader(data, sampler, std::make_shared<Fit>(),
                      {.batch = 8, .workers = workers, .seed = 7, .mix = {.cutmix_alpha = 1}});
    const auto batches = epochs(loader, 2);
    CHECK(batches.size() == 12);
    if (workers == 0) expected = batches;
    CHECK(batches == expected);
  }
  DataLoader loader(data, sampler, std::make_shared<Fit>(), {.batch = 6, .workers = 2});
  while (const auto batch = loader.next())
    for (int64_t r = 0; r < batch->size(); ++r) {
      const int64_t sample = batch->samples[static_cast<size_t>(r)];
      CHECK(batch->labels.data<int64_t>()[r] == data.label(sample));
      CHECK(batch->frames[static_cast<size_t>(r)].source_width == data.image(sample).dim(1));
      // The middle of the canvas, 8 x 8 x 3.
      CHECK(batch->images.data<float>()[(r * 64 + 4 * 8 + 4) * 3] ==
            Approx(data.image(sample).data<uint8_t>()[0] / 255.0).margin(1e-6));
    }
  DataLoader wrong(data, sampler, plain_augment(data), {.batch = 6});
  REQUIRE_THROWS_WITH(wrong.next(), contains("of a data set of 8 x 8"));
}

TEST_CASE("loader: rows of bad images are left out, and counted once") {
  const TempDir dir;
  std::filesystem::create_directories(dir / "train/a");
  for (int i = 0; i < 12; ++i)
    testing::write_file(dir / ("train/a/" + std::to_string(100 + i) + ".png"),
                        i % 5 == 1 ? "damaged" : testing::plain_png(9, 9, 10, 20, 30));
  const auto open = [&](OnBadImage policy) {
    return load_image_folder(dir.path(), Split::Train, {.image_size = 8, .on_bad_image = policy});
  };
  for (int workers : {0, 3}) {
    const ImageDataset data = open(OnBadImage::Skip);
    DataLoader loader(data, std::make_shared<GroupedSampler>(12, 2, 1, true),
                      std::make_shared<Fit>(),
                      {.batch = 6, .workers = workers, .mix = {.mixup_alpha = 1}});
    int64_t rows = 0;
    while (const auto batch = loader.next()) {
      rows += batch->size();
      CHECK(batch->images.dim(0) == batch->size());
      CHECK(batch->labels.dim(0) == batch->size());
      CHECK(batch->targets.dim(0) == batch->size());
      CHECK(batch->frames.size() == batch->samples.size());
      for (int64_t r = 0; r < batch->size(); r += 2) {
        CHECK(batch->samples[static_cast<size_t>(r)] % 5 != 1);
        CHECK(batch->groups[static_cast<size_t>(r)] == batch->groups[static_cast<size_t>(r) + 1]);
      }
    }
    CHECK(rows == 2 * 9);
    CHECK(data.bad_images().size() == 3);
  }
  DataLoader strict(open(OnBadImage::Error), std::make_shared<SequentialSampler>(12),
                    std::make_shared<Fit>(), {.batch = 6, .workers = 2});
  REQUIRE_THROWS_WITH(strict.next(), contains("101.png"));
  DataLoader black(open(OnBadImage::Zero), std::make_shared<SequentialSampler>(12),
                   std::make_shared<Fit>(), {.batch = 6, .workers = 2});
  CHECK(black.next()->images.data<float>()[1 * 64 * 3] == 0);
  const ImageDataset skipping = open(OnBadImage::Skip);
  const std::vector<int64_t> bad{1, 6};
  DataLoader nothing(skipping.select(bad), std::make_shared<SequentialSampler>(2),
                     std::make_shared<Fit>(), {.batch = 2, .workers = 0});
  REQUIRE_THROWS_WITH(nothing.next(), contains("no image of a whole epoch can be read"));

  // A batch of nothing but bad images is passed over, wherever it stands.
  const std::vector<int64_t> mixed{1, 6, 0, 2, 11, 1};
  for (int workers : {0, 2}) {
    DataLoader some(skipping.select(mixed), std::make_shared<SequentialSampler>(6),
                    std::make_shared<Fit>(), {.batch = 2, .workers = workers});
    for (int epoch = 0; epoch < 2; ++epoch) {
      const auto batch = some.next();
      REQUIRE(batch);
      CHECK(batch->samples == std::vector<int64_t>{2, 3});
      CHECK(some.position() == LoaderPosition{epoch, 2});
      CHECK_FALSE(some.next());
    }
  }
}

TEST_CASE("loader: an image is read once for all its rows, wherever they stand in the batch") {
  const auto reader = std::make_shared<testing::CountingReader>([](int64_t index) {
    return Tensor::full({8, 8, 3}, double(index), Dtype::U8);
  });
  const ImageDataset data("counting", reader, Tensor::zeros({4}, Dtype::I64), {"a"},
                          {{0, 0, 0}, {1, 1, 1}}, 8, 8);
  // 400 draws of 4 images in 10 batches: at most 4 reads a batch.
  DataLoader loader(data,
                    std::make_shared<WeightedSampler>(std::vector<double>(4, 1.0), 1,
                                                      WeightedOptions{.groups = 400}),
                    make_augment({}, data.statistics()), {.batch = 40, .workers = 0});
  while (const auto batch = loader.next())
    for (int64_t r = 0; r < batch->size(); ++r)
      REQUIRE(std::lround(255 * batch->images.data<float>()[r * 192]) ==
              batch->samples[static_cast<size_t>(r)]);
  CHECK(reader->reads == 40);
  CHECK(loader.position().epoch == 1);
}
