#include "data/cifar.h"

#include <algorithm>
#include <cmath>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using namespace ditto;
using namespace ditto::data;
using ditto::testing::contains;
using ditto::testing::TempDir;
using ditto::testing::write_file;

namespace {

// Pixel (c, y, x) of a record with this key.
char value(int key, int c, int y, int x) { return static_cast<char>(key + 50 * c + 3 * y + x); }

std::string record(const std::string& labels, int key) {
  std::string bytes = labels;
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < 32; ++y)
      for (int x = 0; x < 32; ++x) bytes += value(key, c, y, x);
  return bytes;
}

}  // namespace

TEST_CASE("cifar-10: planes become pixels, files come in order") {
  TempDir dir;
  write_file(dir / "data_batch_1.bin", record({3}, 1) + record({0}, 2));
  write_file(dir / "data_batch_3.bin", record({9}, 3));
  const ImageDataset data = load_cifar10(dir.path(), Split::Train);
  CHECK(data.images().shape() == Shape{3, 32, 32, 3});
  CHECK(data.labels().to_vector<int>() == std::vector<int>{3, 0, 9});
  CHECK(data.class_names()[9] == "truck");
  int64_t wrong = 0;
  for (int i = 0; i < 3; ++i)
    for (int y = 0; y < 32; ++y)
      for (int x = 0; x < 32; ++x)
        for (int c = 0; c < 3; ++c)
          wrong += data.get(i).pixels[static_cast<size_t>((y * 32 + x) * 3 + c)] !=
                   static_cast<uint8_t>(value(i + 1, c, y, x));
  CHECK(wrong == 0);
  // Two unusual counts and three missing files.
  CHECK(data.warnings().size() == 5);
  CHECK_THAT(data.warnings()[0], contains("has 2 records, the official file has 10000"));
  CHECK_THAT(data.warnings()[1], contains("missing file"));

  REQUIRE_THROWS_WITH(load_cifar10(dir.path(), Split::Train, true), contains("has 2 records"));
  REQUIRE_THROWS_WITH(load_cifar10(dir.path(), Split::Test), contains("no test files"));
  REQUIRE_THROWS_WITH(load_cifar10(dir.path(), Split::Test, true), contains("missing file"));
}

TEST_CASE("cifar-100: fine labels and their names") {
  TempDir dir;
  write_file(dir / "test.bin", record({19, 99}, 1) + record({0, 4}, 2));
  const ImageDataset data = load("cifar-100", Split::Test, {.root = dir.path()});
  CHECK(data.labels().to_vector<int>() == std::vector<int>{99, 4});
  CHECK(data.get(0).pixels[0] == static_cast<uint8_t>(value(1, 0, 0, 0)));
  CHECK(data.class_names()[4] == "class 4");
  std::string names;
  for (int k = 0; k < 100; ++k) names += "name" + std::to_string(k) + "\r\n";
  write_file(dir / "fine_label_names.txt", names + "\n");
  CHECK(load_cifar100(dir.path(), Split::Test).class_names()[4] == "name4");
  write_file(dir / "test.bin", record({20, 0}, 1));
  REQUIRE_THROWS_WITH(load_cifar100(dir.path(), Split::Test), contains("coarse label"));
  write_file(dir / "test.bin", record({0, 4}, 1) + record({0, 100}, 2));
  REQUIRE_THROWS_WITH(load_cifar100(dir.path(), Split::Test), contains("byte 3075 is 100"));
}

TEST_CASE("cifar: truncated, foreign and official-looking files") {
  TempDir dir;
  const auto path = dir / "test_batch.bin";
  const std::string two = record({1}, 1) + record({2}, 2);
  for (size_t length : {size_t{0}, size_t{1}, size_t{3072}, size_t{3074}, two.size() - 1}) {
    write_file(path, two.substr(0, length));
    REQUIRE_THROWS_WITH(load_cifar10(dir.path(), Split::Test),
                        contains("truncated or foreign file: " + path.string()));
  }
  REQUIRE_THROWS_WITH(load_cifar10(dir.path(), Split::Test), contains("starts at byte 3073"));
  write_file(path, record({1}, 1) + record({10}, 2));
  REQUIRE_THROWS_WITH(load_cifar10(dir.path(), Split::Test), contains("byte 3073 is 10"));
  REQUIRE_THROWS_WITH(load_cifar10(dir / "missing", Split::Test), contains("no test files"));
  // The right size is not enough for --strict-data.
  std::string official;
  for (int i = 0; i < 10000; ++i) official += record({static_cast<char>(i % 10)}, i);
  write_file(path, official);
  CHECK(load_cifar10(dir.path(), Split::Test).warnings().empty());
  REQUIRE_THROWS_WITH(load_cifar10(dir.path(), Split::Test, true),
                      contains("not the official file"));
}

TEST_CASE("cifar-10: the real data set") {
  const auto folder = locate("cifar-10");
  if (!folder) DITTO_SKIP("CIFAR-10 is not there (DITTO_DATA=FOLDER with cifar-10-batches-bin)");
  const ImageDataset train = load_cifar10(*folder, Split::Train, /*strict=*/true);
  const ImageDataset test = load_cifar10(*folder, Split::Test, /*strict=*/true);
  CHECK(train.size() == 50000);
  CHECK(test.size() == 10000);
  for (const ImageDataset* data : {&train, &test}) {
    std::vector<int64_t> histogram(10);
    for (int64_t label : data->labels().to_vector<int64_t>()) ++histogram[label];
    CHECK(histogram == std::vector<int64_t>(10, data->size() / 10));
  }
  double sum[3] = {}, squares[3] = {};
  const uint8_t* pixel = train.images().data<uint8_t>();
  for (int64_t i = 0; i < train.images().numel(); ++i) {
    const double v = pixel[i] / 255.0;
    sum[i % 3] += v, squares[i % 3] += v * v;
  }
  const double n = static_cast<double>(train.images().numel()) / 3;
  for (size_t c = 0; c < 3; ++c) {
    const double mean = sum[c] / n;
    CHECK(train.statistics().mean[c] == Approx(mean).margin(1e-4));
    CHECK(train.statistics().std[c] ==
          Approx(std::sqrt(squares[c] / n - mean * mean)).margin(1e-4));
  }
  CHECK(train.take(10000, 1).size() == 10000);
}

TEST_CASE("cifar-100: a real folder, whole or reduced") {
  const auto folder = locate("cifar-100");
  if (!folder) DITTO_SKIP("CIFAR-100 is not there (DITTO_DATA=FOLDER with cifar-100-binary)");
  const ImageDataset test = load_cifar100(*folder, Split::Test);
  std::vector<int64_t> histogram(100);
  for (int64_t label : test.labels().to_vector<int64_t>()) ++histogram[label];
  CHECK(histogram == std::vector<int64_t>(100, test.size() / 100));
  CHECK(test.class_names()[0] == "apple");
  CHECK(test.warnings().size() == (test.size() == 10000 ? 0u : 1u));
}
