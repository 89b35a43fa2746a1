#include "data/loader.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <map>
#include <thread>
#include <tuple>

#include "data/augment.h"
#include "data/image_folder.h"
#include "tests/support/catch.h"
#include "tests/support/image_files.h"

using namespace ditto;
using namespace ditto::data;
using ditto::kernels::MixKind;
using ditto::testing::contains;
using ditto::testing::TempDir;

namespace {

// n random 8 x 8 images with 3 channels in 5 classes.
ImageDataset random_dataset(int64_t n) {
  Tensor images = Tensor::empty({n, 8, 8, 3}, Dtype::U8);
  Tensor labels = Tensor::empty({n}, Dtype::I64);
  Rng rng(99);
  for (int64_t i = 0; i < images.numel(); ++i)
    images.data<uint8_t>()[i] = static_cast<uint8_t>(rng.below(256));
  for (int64_t i = 0; i < n; ++i) labels.data<int64_t>()[i] = static_cast<int64_t>(rng.below(5));
  return {"random",
          images,
          labels,
          {"a", "b", "c", "d", "e"},
          {{0.5f, 0.4f, 0.3f}, {0.2f, 0.2f, 0.2f}}};
}

std::shared_ptr<const Augment> full_augment(const ImageDataset& data) {
  return make_augment(
      {.crop_padding = 2, .flip = true, .affine = {.degrees = 15, .translate = 0.1}, .cutout = 3},
      data.statistics());
}

std::shared_ptr<const Augment> plain_augment(const ImageDataset& data) {
  return make_augment({}, data.statistics());
}

// Everything in a batch that could depend on who made it.
std::vector<double> content(const Batch& batch) {
  std::vector<double> out = batch.images.to_vector<double>();
  const auto append = [&](const auto& values) {
    out.insert(out.end(), values.begin(), values.end());
  };
  append(batch.labels.to_vector<double>());
  if (batch.targets.defined()) append(batch.targets.to_vector<double>());
  append(batch.samples);
  append(batch.groups);
  append(batch.replicas);
  for (const Frame& frame : batch.frames) {
    append(std::vector<double>{frame.map.a, frame.map.b, frame.map.c, frame.map.f});
    append(std::vector<double>{frame.visible.x0, frame.visible.y1});
  }
  out.push_back(static_cast<double>(batch.epoch));
  out.push_back(static_cast<double>(batch.index));
  return out;
}

std::vector<std::vector<double>> epochs(DataLoader& loader, int count) {
  std::vector<std::vector<double>> out;
  for (int e = 0; e < count; ++e)
    while (const auto batch = loader.next()) out.push_back(content(*batch));
  return out;
}

// Throws for one sample as long as `broken` is set; otherwise changes nothing.
class Breaking : public Augment {
 public:
  explicit Breaking(const std::atomic<bool>& broken) : broken_(broken) {}
  Transform draw(Rng& rng, const ImageInfo& info) const override {
    check(!broken_ || rng.uniform() > 0.1, "[breaking] as told");
    return Transform(info);
  }

 private:
  const std::atomic<bool>& broken_;
};

class Slow : public Augment {
 public:
  mutable std::atomic<int> drawn = 0;
  Transform draw(Rng&, const ImageInfo& info) const override {
    ++drawn;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return Transform(info);
  }
};

// The whole image on a canvas of 8 x 8, mirrored half of the time.
class Fit : public Augment {
 public:
  Transform draw(Rng& rng, const ImageInfo& info) const override {
    Affine map = Affine::scaling(8.0 / info.width, 8.0 / info.height);
    if (rng.chance(0.5)) map = map.then(Affine{-1, 0, 8, 0, 1, 0});
    return Transform::geometric(info, map, 8, 8);
  }
};

// A canvas of another size for every other image.
class Uneven : public Augment {
 public:
  Transform draw(Rng& rng, const ImageInfo& info) const override {
    return Transform::geometric(info, Affine{}, rng.chance(0.5) ? 8 : 9, 8);
  }
};

}  // namespace

TEST_CASE("loader: the same batches for any number of workers, bit for bit") {
  const ImageDataset data = random_dataset(101);
  const auto sampler = std::make_shared<GroupedSampler>(101, 3, 5);
  std::vector<std::vector<double>> expected;
  for (int workers : {0, 1, 2, 5}) {
    DataLoader loader(data, sampler, full_augment(data),
                      {.batch = 16,
                       .workers = workers,
                       .prefetch = workers == 5 ? 1 : 0,
                       .seed = 7,
                       .mix = {.cutmix_alpha = 1, .mixup_alpha = 1, .probability = 0.7}});
    const auto batches = epochs(loader, 3);
    CHECK(batches.size() == 3 * 7);  // 33 groups = 99 rows: 6 batches of 16 and one of 3
    if (workers == 0) expected = batches;
    CHECK(batches == expected);
  }
  DataLoader other(data, sampler, full_augment(data), {.batch = 16, .workers = 0, .seed = 8});
  CHECK(content(*other.next()) != expected.front());
}

TEST_CASE("loader: batches hold what the sampler ordered") {
  const ImageDataset data = random_dataset(10);
  DataLoader loader(data, std::make_shared<SequentialSampler>(10), plain_augment(data),
                    {.batch = 4, .workers = 2});
  CHECK(loader.batches() == 3);
  std::vector<int64_t> seen;
  for (int64_t index = 0; index < 3; ++index) {
    const auto batch = loader.next();
    REQUIRE(batch);
    CHECK(batch->index == index);
    CHECK(batch->epoch == 0);
    CHECK(batch->size() == (index == 2 ? 2 : 4));  // the last, partial one is kept
    CHECK(batch->images.shape() == Shape{batch->size(), 8, 8, 3});
    CHECK_FALSE(batch->targets.defined());
    CHECK(batch->mix.empty());
    int64_t wrong = 0;
    for (int64_t r = 0; r < batch->size(); ++r) {
      const int64_t sample = batch->samples[static_cast<size_t>(r)];
      seen.push_back(sample);
      CHECK(batch->labels.data<int64_t>()[r] == data.label(sample));
      const auto& statistics = data.statistics();
      for (size_t i = 0; i < 192; ++i) {
        const double expected =
            (data.get(sample).pixels[i] / 255.0 - statistics.mean[i % 3]) / statistics.std[i % 3];
        wrong += std::fabs(batch->images.data<float>()[r * 192 + static_cast<int64_t>(i)] -
                           expected) > 1e-5;
      }
    }
    CHECK(wrong == 0);
  }
  CHECK(seen == std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK_FALSE(loader.next());
  CHECK(loader.position() == LoaderPosition{1, 0});
  CHECK(loader.next()->epoch == 1);

  DataLoader dropping(data, std::make_shared<SequentialSampler>(10), plain_augment(data),
                      {.batch = 4, .drop_last = true});
  CHECK(dropping.batches() == 2);
  CHECK(dropping.next());
  CHECK(dropping.next());
  CHECK_FALSE(dropping.next());
}

TEST_CASE("loader: replicas of an image differ, epochs differ") {
  const ImageDataset data = random_dataset(12);
  DataLoader loader(data, std::make_shared<GroupedSampler>(12, 4, 1, true), full_augment(data),
                    {.batch = 8, .seed = 3});
  const auto batch = loader.next();
  REQUIRE(batch);
  CHECK(batch->groups[0] == batch->groups[3]);
  CHECK(batch->groups[0] != batch->groups[4]);
  CHECK(batch->replicas == std::vector<int32_t>{0, 1, 2, 3, 0, 1, 2, 3});
  const auto images = batch->images.to_vector<float>();
  CHECK(std::vector<float>(images.begin(), images.begin() + 192) !=
        std::vector<float>(images.begin() + 192, images.begin() + 384));
  // The same image in another epoch is augmented anew.
  loader.seek({1, 0});
  while (const auto later = loader.next())
    for (size_t r = 0; r < later->samples.size(); ++r)
      if (later->samples[r] == batch->samples[0] && later->replicas[r] == 0)
        CHECK((later->frames[r].map.c != batch->frames[0].map.c ||
               later->frames[r].map.f != batch->frames[0].map.f));
}

TEST_CASE("loader: mixed batches carry soft labels and every pixel's origin") {
  const ImageDataset data = random_dataset(60);
  const auto sampler = std::make_shared<RandomSampler>(60, 2);
  const LoaderOptions options{.batch = 20, .seed = 4};
  LoaderOptions mixing = options;
  mixing.mix = {.cutmix_alpha = 1, .mixup_alpha = 1};
  DataLoader plain(data, sampler, full_augment(data), options);
  DataLoader mixed(data, sampler, full_augment(data), mixing);
  for (int i = 0; i < 3; ++i) {
    const auto before = plain.next(), after = mixed.next();
    REQUIRE((before && after));
    REQUIRE(after->mix.size() == 20);
    const float* in = before->images.data<float>();
    const float* out = after->images.data<float>();
    int64_t wrong = 0;
    for (int64_t r = 0; r < 20; ++r) {
      const kernels::MixRow& row = after->mix[static_cast<size_t>(r)];
      CHECK(row.kind != MixKind::None);
      std::vector<float> target(5);
      target[static_cast<size_t>(before->labels.data<int64_t>()[r])] += row.keep;
      target[static_cast<size_t>(before->labels.data<int64_t>()[row.partner])] += 1 - row.keep;
      float sum = 0;
      for (int64_t k = 0; k < 5; ++k) {
        CHECK(after->targets.data<float>()[r * 5 + k] == target[static_cast<size_t>(k)]);
        sum += after->targets.data<float>()[r * 5 + k];
      }
      CHECK(sum == Approx(1).margin(1e-6));
      int64_t foreign = 0;
      for (int64_t y = 0; y < 8; ++y)
        for (int64_t x = 0; x < 8; ++x) {
          const bool inside =
              x >= row.box.x0 && x < row.box.x1 && y >= row.box.y0 && y < row.box.y1;
          foreign += inside;
          for (int64_t c = 0; c < 3; ++c) {
            const int64_t at = (y * 8 + x) * 3 + c;
            const float own = in[r * 192 + at], other = in[row.partner * 192 + at];
            const float expected = row.kind == MixKind::CutMix
                                       ? (inside ? other : own)
                                       : row.keep * own + (1 - row.keep) * other;
            wrong += std::fabs(out[r * 192 + at] - expected) > 1e-6f;
          }
        }
      if (row.kind == MixKind::CutMix) CHECK(row.keep == 1 - static_cast<float>(foreign) / 64);
    }
    CHECK(wrong == 0);
    CHECK(after->labels.to_vector<int>() == before->labels.to_vector<int>());
  }
}

TEST_CASE("loader: positions can be read and set") {
  const ImageDataset data = random_dataset(50);
  for (int workers : {0, 3}) {
    DataLoader loader(data, std::make_shared<RandomSampler>(50, 1), full_augment(data),
                      {.batch = 8, .workers = workers});
    std::vector<std::vector<double>> all = epochs(loader, 2);
    REQUIRE(all.size() == 14);
    loader.seek({1, 3});
    CHECK(loader.position() == LoaderPosition{1, 3});
    CHECK(content(*loader.next()) == all[7 + 3]);
    CHECK(loader.position() == LoaderPosition{1, 4});
    loader.seek({0, 6});
    CHECK(content(*loader.next()) == all[6]);
    CHECK_FALSE(loader.next());
    CHECK(content(*loader.next()) == all[7]);
    loader.seek({0, 7});
    CHECK_FALSE(loader.next());
    REQUIRE_THROWS_WITH(loader.seek({0, 8}), contains("batch 8 of 7"));
    REQUIRE_THROWS_WITH(loader.seek({-1, 0}), contains("epoch -1"));
    CHECK(loader.position() == LoaderPosition{1, 0});  // a refused seek moves nothing
    CHECK(content(*loader.next()) == all[7]);
  }
}

TEST_CASE("loader: an exception in a worker reaches the consumer, and the loader lives on") {
  const ImageDataset data = random_dataset(64);
  std::atomic<bool> broken = false;
  std::vector<std::vector<double>> expected;
  {
    DataLoader loader(data, std::make_shared<RandomSampler>(64, 1),
                      std::make_shared<Breaking>(broken), {.batch = 4, .workers = 0});
    expected = epochs(loader, 1);
  }
  for (int workers : {0, 1, 4}) {
    broken = true;
    DataLoader loader(data, std::make_shared<RandomSampler>(64, 1),
                      std::make_shared<Breaking>(broken), {.batch = 4, .workers = workers});
    std::vector<std::vector<double>> batches;
    int errors = 0;
    while (batches.size() < expected.size()) {
      try {
        batches.push_back(content(*loader.next()));
      } catch (const Error& error) {
        ++errors;
        CHECK_THAT(std::string(error.what()), contains("[breaking] as told"));
        CHECK(loader.position().batch == static_cast<int64_t>(batches.size()));
        if (errors == 2) broken = false;  // the first retry fails again
      }
    }
    CHECK(errors == 2);
    CHECK(batches == expected);
  }
}

TEST_CASE("loader: stopping early joins the workers, whatever they are doing") {
  const ImageDataset data = random_dataset(64);
  for (int taken : {0, 1, 3}) {
    DataLoader loader(data, std::make_shared<RandomSampler>(64, 1), std::make_shared<Slow>(),
                      {.batch = 4, .workers = 4});
    for (int i = 0; i < taken; ++i) CHECK(loader.next());
    loader.seek({2, 1});
    if (taken > 1) CHECK(loader.next()->epoch == 2);
  }
  // Destruction does not wait for the rest of the epoch: the queue holds two batches of ten, and
  // one is being made.
  const auto slow = std::make_shared<Slow>();
  {
    DataLoader loader(random_dataset(2000), std::make_shared<RandomSampler>(2000, 1), slow,
                      {.batch = 10, .workers = 1});
    CHECK(loader.next());
  }
  CHECK(slow->drawn <= 5 * 11);  // a batch draws its first row twice
}

TEST_CASE("loader: batches that were being made at a seek are dropped") {
  const ImageDataset data = random_dataset(64);
  DataLoader loader(data, std::make_shared<RandomSampler>(64, 1), std::make_shared<Slow>(),
                    {.batch = 4, .workers = 4});
  for (int64_t epoch = 1; epoch < 5; ++epoch) {
    CHECK(loader.next());  // the workers are busy with the next batches now
    loader.seek({epoch, epoch});
    for (int64_t index = epoch; index < epoch + 8; ++index) {
      const auto batch = loader.next();
      REQUIRE(batch);
      CHECK(batch->epoch == epoch);
      CHECK(batch->index == index);
    }
  }
}

TEST_CASE("loader: ranks draw their own mixing") {
  const ImageDataset data = random_dataset(40);
  const auto first_batch = [&](int rank) {
    DataLoader loader(data, std::make_shared<RandomSampler>(40, 1, Shard{rank, 2}),
                      plain_augment(data), {.batch = 20, .mix = {.mixup_alpha = 1}});
    return *loader.next();
  };
  const Batch one = first_batch(0), two = first_batch(1);
  int64_t same = 0;
  for (size_t r = 0; r < 20; ++r) {
    same += one.mix[r].keep == two.mix[r].keep;
    CHECK(std::ranges::find(two.samples, one.samples[r]) == two.samples.end());
  }
  CHECK(same == 0);
}

TEST_CASE("loader: a bounded number of batches is made ahead, in reused memory") {
  const ImageDataset data = random_dataset(4000);
  DataLoader loader(data, std::make_shared<RandomSampler>(4000, 1), full_augment(data),
                    {.batch = 10, .workers = 2, .prefetch = 3});
  for (int i = 0; i < 50; ++i) CHECK(loader.next());
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // workers fill the queue
  const MemoryStats before = memory_stats();
  for (int i = 0; i < 300; ++i) CHECK(loader.next());
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const MemoryStats after = memory_stats();
  // 8 x 8 x 3 floats x 10 rows is 7,680 bytes; at most 3 waiting and 2 being made.
  CHECK(after.current - before.current <= 5 * 10000);
#ifndef __SANITIZE_ADDRESS__  // there, nothing is reused on purpose
  CHECK(after.system_allocations - before.system_allocations <= 10);
#endif
}

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

TEST_CASE("loader: errors") {
  const ImageDataset data = random_dataset(10);
  const auto sampler = std::make_shared<RandomSampler>(10, 1);
  const auto augment = plain_augment(data);
  const auto make = [&](const LoaderOptions& options) {
    DataLoader loader(data, sampler, augment, options);
    return loader.next();
  };
  REQUIRE_THROWS_WITH(make({.batch = 0}), contains("batch must be at least 1"));
  REQUIRE_THROWS_WITH(make({.workers = -1}), contains("workers"));
  REQUIRE_THROWS_WITH(make({.prefetch = -1}), contains("prefetch"));
  REQUIRE_THROWS_WITH(make({.mix = {.cutmix_alpha = -1}}), contains("[mix]"));
  REQUIRE_THROWS_WITH(make({.batch = 11, .drop_last = true}),
                      contains("10 rows, which is not one batch of 11"));
  REQUIRE_THROWS_WITH(DataLoader(data, nullptr, augment, {}), contains("[loader] needs"));
  REQUIRE_THROWS_WITH(DataLoader(data, std::make_shared<RandomSampler>(9, 1), augment, {}),
                      contains("for 9 images, the data set has 10"));
  for (int workers : {0, 2}) {
    DataLoader uneven(data, sampler, std::make_shared<Uneven>(), {.workers = workers});
    REQUIRE_THROWS_WITH(uneven.next(), contains("different sizes in one batch"));
  }
}

TEST_CASE("loader: the same replica on any number of workers and ranks, bit for bit") {
  // Keyed by (epoch, sample, replica): images and frames, from memory and from files.
  using Key = std::tuple<int64_t, int64_t, int32_t>;
  const TempDir dir;
  for (const char* name : {"cat", "dog"}) {
    std::filesystem::create_directories(dir / "train" / name);
    std::filesystem::create_directories(dir / "val" / name);
    for (int i = 0; i < 12; ++i)
      ditto::testing::write_file(
          dir / "train" / name / (std::to_string(i) + ".png"),
          ditto::testing::plain_png(uint32_t(9 + i % 3), 12, uint8_t(20 * i), 99, 3));
    std::filesystem::copy(dir / "train" / name / "0.png", dir / "val" / name / "0.png");
  }
  const ImageDataset files = load("folder", Split::Train, {.root = dir.path(), .image_size = 8});
  const ImageDataset memory = random_dataset(24);
  for (const ImageDataset* data : {&memory, &files}) {
    const auto augment = data == &memory
                             ? full_augment(*data)
                             : train_augment({.flip = true, .random_resized_crop = true}, *data);
    std::map<Key, std::vector<double>> expected;
    for (const Sharding sharding : {Sharding::Group, Sharding::Spread})
      for (const int world : {1, 2, 4})
        for (const int workers : {1, 2, 8}) {
          INFO(world << " ranks, " << workers << " workers");
          int64_t rows = 0;
          for (int rank = 0; rank < world; ++rank) {
            const auto sampler = std::make_shared<GroupedSampler>(
                24, 3, 5, true, Shard{.rank = rank, .world = world}, sharding);
            DataLoader loader(*data, sampler, augment, {.batch = 7, .workers = workers, .seed = 7});
            for (int epoch = 0; epoch < 2; ++epoch)
              while (const auto batch = loader.next())
                for (int64_t r = 0; r < batch->size(); ++r, ++rows) {
                  const auto at = static_cast<size_t>(r);
                  const Shape shape{batch->images.numel() / batch->size()};
                  std::vector<double> row = batch->images
                                                .alias(shape, contiguous_strides(shape),
                                                       batch->images.offset() + r * shape.dim(0))
                                                .to_vector<double>();
                  const Affine& map = batch->frames[at].map;
                  row.insert(row.end(), {map.a, map.b, map.c, map.d, map.e, map.f});
                  const Key key{batch->epoch, batch->samples[at], batch->replicas[at]};
                  const auto [entry, is_new] = expected.try_emplace(key, row);
                  if (!is_new) REQUIRE(entry->second == row);
                }
          }
          REQUIRE(rows == 2 * 24 * 3);  // 8 groups a third, 72 rows: shared without a rest
          REQUIRE(expected.size() == 2 * 24 * 3);
        }
  }
}

TEST_CASE("loader: a position in the middle of an epoch is taken up exactly, on every rank") {
  const ImageDataset data = random_dataset(60);
  for (const int world : {1, 2})
    for (int rank = 0; rank < world; ++rank)
      for (const int workers : {0, 3}) {
        const auto make = [&] {
          return std::make_unique<DataLoader>(
              data,
              std::make_shared<ClassBalancedSampler>(data.labels().to_vector<int64_t>(), 5, 2, 9,
                                                     Shard{.rank = rank, .world = world}),
              full_augment(data), LoaderOptions{.batch = 4, .workers = workers, .seed = 3});
        };
        const auto whole = make();
        std::vector<std::vector<double>> expected;
        std::vector<LoaderPosition> positions;
        for (int epoch = 0; epoch < 2; ++epoch)
          for (;;) {
            positions.push_back(whole->position());
            const auto batch = whole->next();
            if (!batch) {
              positions.pop_back();
              break;
            }
            expected.push_back(content(*batch));
          }
        for (size_t i = 0; i < positions.size(); i += 3) {
          const auto resumed = make();
          resumed->seek(positions[i]);
          for (size_t k = i; k < positions.size(); ++k) {
            auto batch = resumed->next();
            if (!batch) batch = resumed->next();
            REQUIRE(batch);
            REQUIRE(content(*batch) == expected[k]);
          }
        }
      }
}

TEST_CASE("loader: an image is read once for all its rows, wherever they stand in the batch") {
  class Counting : public ImageReader {
   public:
    mutable std::atomic<int> reads = 0;
    Tensor read(int64_t index) const override {
      ++reads;
      return Tensor::full({8, 8, 3}, double(index), Dtype::U8);
    }
    std::string fingerprint() const override { return "counting"; }
  };
  const auto reader = std::make_shared<Counting>();
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

TEST_CASE("loader: pinned batches hold the same") {
  const ImageDataset data = random_dataset(20);
  const auto sampler = std::make_shared<RandomSampler>(20, 1);
  LoaderOptions options{.batch = 6, .workers = 2, .mix = {.cutmix_alpha = 1}};
  DataLoader plain(data, sampler, full_augment(data), options);
  options.pinned = true;
  DataLoader pinned(data, sampler, full_augment(data), options);
  int batches = 0;
  while (const auto batch = plain.next()) {
    const auto other = pinned.next();
    REQUIRE(other);
    CHECK(content(*batch) == content(*other));
    ++batches;
  }
  CHECK(batches == 4);
}
