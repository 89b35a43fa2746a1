#include "data/fashion_mnist.h"

#include <zlib.h>

#include <cmath>

#include "data/idx.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using namespace ditto;
using namespace ditto::data;
using ditto::testing::contains;
using ditto::testing::read_file;
using ditto::testing::TempDir;
using ditto::testing::write_file;

namespace {

std::string big_endian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 255);
  return bytes;
}

std::string idx(const std::vector<uint32_t>& sizes, const std::string& values) {
  std::string bytes{0, 0, 8, static_cast<char>(sizes.size())};
  for (uint32_t size : sizes) bytes += big_endian(size);
  return bytes + values;
}

void write_gz(const std::filesystem::path& path, const std::string& bytes) {
  const gzFile file = gzopen(path.c_str(), "wb");
  REQUIRE(file != nullptr);
  REQUIRE(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())) ==
          static_cast<int>(bytes.size()));
  REQUIRE(gzclose(file) == Z_OK);
}

// n images of 28 x 28 with pixel (y, x) of image i = i + y + 2 x.
std::string pixels(uint32_t n) {
  std::string bytes;
  for (uint32_t i = 0; i < n; ++i)
    for (uint32_t y = 0; y < 28; ++y)
      for (uint32_t x = 0; x < 28; ++x) bytes += static_cast<char>(i + y + 2 * x);
  return bytes;
}

const std::string kImages = "t10k-images-idx3-ubyte", kLabels = "t10k-labels-idx1-ubyte";

void check_small(const ImageDataset& data) {
  CHECK(data.size() == 3);
  CHECK(data.images().shape() == Shape{3, 32, 32, 1});
  CHECK(data.labels().to_vector<int>() == std::vector<int>{7, 0, 9});
  CHECK(data.class_names()[7] == "Sneaker");
  CHECK(data.info().fill[0] == 0);
  int64_t wrong = 0;
  for (int64_t i = 0; i < 3; ++i)
    for (int64_t y = 0; y < 32; ++y)
      for (int64_t x = 0; x < 32; ++x) {
        const bool inside = y >= 2 && y < 30 && x >= 2 && x < 30;
        const int64_t expected = inside ? i + (y - 2) + 2 * (x - 2) : 0;
        wrong += data.get(i).pixels[static_cast<size_t>(y * 32 + x)] != expected;
      }
  CHECK(wrong == 0);
  REQUIRE(data.warnings().size() == 1);
  CHECK_THAT(data.warnings()[0], contains("3 images, the official file has 10000"));
}

}  // namespace

TEST_CASE("idx: plain, compressed and dotted names give the same images") {
  for (int form = 0; form < 3; ++form) {
    TempDir dir;
    const std::string images = idx({3, 28, 28}, pixels(3));
    const std::string labels = idx({3}, std::string{7, 0, 9});
    if (form == 0) {
      write_file(dir / kImages, images);
      write_file(dir / kLabels, labels);
    } else if (form == 1) {
      write_gz(dir / (kImages + ".gz"), images);
      write_gz(dir / (kLabels + ".gz"), labels);
    } else {
      write_file(dir / "t10k-images.idx3-ubyte", images);
      write_gz(dir / "t10k-labels.idx1-ubyte.gz", labels);
    }
    check_small(load_fashion_mnist(dir.path(), Split::Test));
    CHECK(load("mnist", Split::Test, {.root = dir.path()}).class_names()[7] == "7");
    REQUIRE_THROWS_WITH(load_fashion_mnist(dir.path(), Split::Train),
                        contains("no file " + (dir / "train-images").string()));
    REQUIRE_THROWS_WITH(load_fashion_mnist(dir.path(), Split::Test, true),
                        contains("has 3 images, the official file has 10000"));
  }
}

TEST_CASE("idx: every truncation is an error, not a crash") {
  TempDir dir;
  const std::string whole = idx({2, 2, 3}, "abcdefghijkl");
  const auto path = dir / "file";
  write_file(path, whole);
  CHECK(read_idx(path, 3).sizes == std::vector<int64_t>{2, 2, 3});
  CHECK(read_idx(path, 3).values.back() == 'l');
  for (size_t length = 0; length < whole.size(); ++length) {
    write_file(path, whole.substr(0, length));
    REQUIRE_THROWS_WITH(read_idx(path, 3), contains("truncated file: " + path.string()));
  }
  write_gz(path, whole);
  const std::string packed = read_file(path);
  CHECK(read_idx(path, 3).values.size() == 12);
  for (size_t length = 1; length < packed.size(); ++length) {
    write_file(path, packed.substr(0, length));
    REQUIRE_THROWS_WITH(read_idx(path, 3), contains(path.string()));
  }
}

TEST_CASE("idx: every damaged byte of a compressed file is noticed") {
  TempDir dir;
  const auto path = dir / "file.gz";
  const std::string whole = idx({20, 20}, std::string(400, 'q'));
  write_gz(path, whole);
  const std::string packed = read_file(path);
  // Bytes 3..9 of the gzip header (flags, time, system) carry no content.
  for (size_t at = 10; at < packed.size(); ++at) {
    std::string damaged = packed;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    write_file(path, damaged);
    REQUIRE_THROWS_WITH(read_idx(path, 2), contains(path.string()));
  }
}

TEST_CASE("idx: foreign files and false headers") {
  TempDir dir;
  const auto path = dir / "file";
  REQUIRE_THROWS_WITH(read_idx(path, 1), contains("cannot open " + path.string()));
  REQUIRE_THROWS_WITH(read_idx(dir.path(), 1), contains("cannot open"));
  write_file(path, "PNG\r is not idx");
  REQUIRE_THROWS_WITH(read_idx(path, 1), contains("not an idx file of unsigned bytes"));
  write_file(path, std::string{0, 0, 13, 1} + big_endian(0));  // floats
  REQUIRE_THROWS_WITH(read_idx(path, 1), contains("starts with 0 0 13 1"));
  write_file(path, idx({1, 1}, "x"));
  REQUIRE_THROWS_WITH(read_idx(path, 3), contains("has 2 expected 3"));
  write_file(path, idx({4}, "abcde"));
  REQUIRE_THROWS_WITH(read_idx(path, 1), contains("after the last element"));
  // A header that promises 4 GB or more than 2^63 must not take the memory first.
  write_file(path, idx({0xffffffff}, "abc"));
  REQUIRE_THROWS_WITH(read_idx(path, 1), contains("truncated"));
  write_gz(path, idx({0xffffffff, 0xffffffff}, "abc"));
  REQUIRE_THROWS_WITH(read_idx(path, 2), contains(path.string()));
  write_file(path, idx({0xffffffff, 0xffffffff, 0xffffffff}, "abc"));
  REQUIRE_THROWS_WITH(read_idx(path, 3), contains("overflow"));
  write_file(path, idx({0}, ""));
  CHECK(read_idx(path, 1).values.empty());
}

TEST_CASE("fashion-mnist: files that do not fit each other") {
  TempDir dir;
  write_file(dir / kImages, idx({2, 28, 28}, pixels(2)));
  write_file(dir / kLabels, idx({3}, std::string{0, 1, 2}));
  REQUIRE_THROWS_WITH(load_fashion_mnist(dir.path(), Split::Test), contains("has 2 images but"));
  write_file(dir / kLabels, idx({2}, std::string{0, 10}));
  REQUIRE_THROWS_WITH(load_fashion_mnist(dir.path(), Split::Test), contains("byte 9 is 10"));
  write_file(dir / kLabels, idx({2}, std::string{0, 1}));
  write_file(dir / kImages, idx({2, 28, 27}, std::string(2 * 28 * 27, 'x')));
  REQUIRE_THROWS_WITH(load_fashion_mnist(dir.path(), Split::Test), contains("28 27"));
}

TEST_CASE("fashion-mnist: the real data set") {
  const auto folder = locate("fashion-mnist");
  if (!folder) DITTO_SKIP("FashionMNIST is not installed (apt-get install dataset-fashion-mnist)");
  const ImageDataset train = load_fashion_mnist(*folder, Split::Train, /*strict=*/true);
  const ImageDataset test = load_fashion_mnist(*folder, Split::Test, /*strict=*/true);
  CHECK(train.size() == 60000);
  CHECK(test.size() == 10000);
  for (const ImageDataset* data : {&train, &test}) {
    std::vector<int64_t> histogram(10);
    for (int64_t label : data->labels().to_vector<int64_t>()) ++histogram[label];
    CHECK(histogram == std::vector<int64_t>(10, data->size() / 10));
    CHECK(data->warnings().empty());
  }
  // The statistics are those of the padded training images.
  double sum = 0, squares = 0;
  const uint8_t* pixel = train.images().data<uint8_t>();
  for (int64_t i = 0; i < train.images().numel(); ++i) {
    const double v = pixel[i] / 255.0;
    sum += v, squares += v * v;
  }
  const double mean = sum / static_cast<double>(train.images().numel());
  const double variance = squares / static_cast<double>(train.images().numel()) - mean * mean;
  CHECK(train.statistics().mean[0] == Approx(mean).margin(1e-4));
  CHECK(train.statistics().std[0] == Approx(std::sqrt(variance)).margin(1e-4));
}
