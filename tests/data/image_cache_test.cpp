// Images that are kept in memory: the limit, the counted hits, many threads, and batches that do
// not depend on any of it.
#include "data/image_cache.h"

#include <thread>

#include "data/augment.h"
#include "data/image_folder.h"
#include "data/loader.h"
#include "tests/support/catch.h"
#include "tests/support/image_files.h"

using namespace ditto;
using namespace ditto::data;
using namespace ditto::testing;

namespace {

Tensor bytes(int64_t count, double value) { return Tensor::full({count}, value, Dtype::U8); }

// Two classes of six images each, 10 x 8 of one colour.
void write_images(const TempDir& dir) {
  for (const char* name : {"cat", "dog"}) {
    std::filesystem::create_directories(dir / "train" / name);
    for (int i = 0; i < 6; ++i)
      write_file(dir / "train" / name / (std::to_string(i) + ".png"),
                 plain_png(10, 8, static_cast<uint8_t>(40 * i), name[0] == 'c' ? 10 : 200, 7));
  }
  std::filesystem::create_directories(dir / "val");
  std::filesystem::copy(dir / "train", dir / "val", std::filesystem::copy_options::recursive);
}

}  // namespace

TEST_CASE("image cache: keeps what fits, and counts") {
  ImageCache cache(100);
  CHECK_FALSE(cache.find(3).defined());
  cache.keep(3, bytes(60, 1));
  cache.keep(4, bytes(50, 2));  // no room
  cache.keep(5, bytes(40, 3));
  cache.keep(3, bytes(1, 9));  // there already
  CHECK(cache.find(3).to_vector<int>() == std::vector<int>(60, 1));
  CHECK_FALSE(cache.find(4).defined());
  CHECK(cache.find(5).defined());
  const CacheStats stats = cache.stats();
  CHECK(stats.hits == 2);
  CHECK(stats.misses == 2);
  CHECK(stats.images == 2);
  CHECK(stats.bytes == 100);
  REQUIRE_THROWS_WITH(cache_kind("some"), contains("none, encoded or decoded, got some"));
}

TEST_CASE("image cache: many threads") {
  ImageCache cache(64 * 1000);
  std::vector<std::jthread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        const int64_t index = (i * 7 + t * 131) % 1500;
        const Tensor found = cache.find(index);
        if (!found.defined())
          cache.keep(index, bytes(64, double(index % 256)));
        else
          wrong += found.data<uint8_t>()[63] != index % 256;
      }
    });
  threads.clear();
  CHECK(wrong == 0);
  const CacheStats stats = cache.stats();
  CHECK(stats.hits + stats.misses == 8000);
  CHECK(stats.images == 1000);
  CHECK(stats.bytes == 64 * 1000);
}

TEST_CASE("image cache: the same batches with every kind and limit") {
  const TempDir dir;
  write_images(dir);
  std::vector<std::vector<double>> expected;
  int64_t file_bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir / "train"))
    if (entry.is_regular_file()) file_bytes += static_cast<int64_t>(entry.file_size());
  for (const CacheKind kind : {CacheKind::None, CacheKind::Encoded, CacheKind::Decoded})
    for (const int64_t limit : {int64_t{0}, int64_t{5 * 240}, int64_t{1} << 20}) {
      const ImageDataset data = load("folder", Split::Train,
                                     {.root = dir.path(), .image_size = 6, .cache = {kind, limit}});
      REQUIRE(data.size() == 12);
      DataLoader loader(data, std::make_shared<GroupedSampler>(12, 3, 1, true),
                        train_augment({.flip = true, .random_resized_crop = true}, data),
                        {.batch = 9, .workers = 2, .seed = 3});
      std::vector<std::vector<double>> batches;
      for (int epoch = 0; epoch < 3; ++epoch)
        while (const auto batch = loader.next())
          batches.push_back(batch->images.to_vector<double>());
      if (expected.empty()) expected = batches;
      CHECK(batches == expected);

      const CacheStats stats = data.cache();
      INFO(static_cast<int>(kind) << " " << limit);
      if (kind == CacheKind::None) {
        CHECK(stats.hits + stats.misses == 0);
        continue;
      }
      // 12 groups in batches of three: each image is read once per epoch, for all its replicas.
      CHECK(stats.hits + stats.misses == 36);
      CHECK(stats.bytes <= limit);
      if (limit == 0) CHECK(stats.images == 0);
      if (limit == 1 << 20) {
        CHECK(stats.hits == 24);
        CHECK(stats.bytes == (kind == CacheKind::Decoded ? 12 * 240 : file_bytes));
      }
      if (limit == 5 * 240 && kind == CacheKind::Decoded) CHECK(stats.hits == 2 * 5);
    }
}
