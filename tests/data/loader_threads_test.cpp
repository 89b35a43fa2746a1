// Loaders, their workers and ranks: positions, exceptions, an early end, and the same replicas.
#include "data/loader.h"

#include <atomic>
#include <chrono>
#include <map>
#include <thread>
#include <tuple>

#include "tests/data/loader_samples.h"
#include "tests/support/catch.h"
#include "tests/support/image_files.h"

using namespace ditto;
using namespace ditto::data;
using namespace ditto::testing;

namespace {

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

}  // namespace

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
