#include "data/dataset.h"

#include <cstdlib>
#include <map>
#include <set>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using namespace ditto;
using namespace ditto::data;
using ditto::testing::contains;
using ditto::testing::TempDir;

namespace {

// n images of 2 x 3, every pixel of image i is i, labels as given.
ImageDataset small(const std::vector<int64_t>& labels, int classes) {
  const auto n = static_cast<int64_t>(labels.size());
  Tensor images = Tensor::empty({n, 2, 3, 1}, Dtype::U8);
  for (int64_t i = 0; i < images.numel(); ++i)
    images.data<uint8_t>()[i] = static_cast<uint8_t>(i / 6);
  std::vector<std::string> names;
  for (int k = 0; k < classes; ++k) names.push_back("c" + std::to_string(k));
  return {"small", images, Tensor::from(labels, {n}), names, {{0.5f}, {0.25f}}};
}

// Sets DITTO_DATA for one test (nullptr: unset).
class Environment {
 public:
  explicit Environment(const char* value) {
    if (const char* before = std::getenv("DITTO_DATA")) before_ = before, had_ = true;
    value ? setenv("DITTO_DATA", value, 1) : unsetenv("DITTO_DATA");
  }
  ~Environment() { had_ ? setenv("DITTO_DATA", before_.c_str(), 1) : unsetenv("DITTO_DATA"); }

 private:
  std::string before_;
  bool had_ = false;
};

}  // namespace

TEST_CASE("dataset: views, sizes and defaults") {
  const ImageDataset data = small({0, 1, 1, 0}, 2);
  CHECK(data.size() == 4);
  CHECK(data.classes() == 2);
  const ImageSample sample = data.get(2);
  CHECK(sample.label == 1);
  CHECK(sample.height == 2);
  CHECK(sample.width == 3);
  CHECK(sample.pixels.size() == 6);
  CHECK(sample.pixels[5] == 2);
  CHECK(data.info().fill[0] == 0.5f);  // the mean
  CHECK(data.info().width == 3);
  REQUIRE_THROWS_WITH(data.get(4), contains("image 4 of 4"));
  REQUIRE_THROWS_WITH(data.get(-1), contains("image -1"));
  CHECK(ImageDataset().size() == 0);
}

TEST_CASE("dataset: refuses inconsistent tensors") {
  REQUIRE_THROWS_WITH(small({0, 2}, 2), contains("label 2 of image 1"));
  REQUIRE_THROWS_WITH(small({-1}, 2), contains("label -1"));
  const Tensor labels = Tensor::zeros({2}, Dtype::I64);
  const auto make = [&](const Tensor& images, const Tensor& y, ChannelStatistics statistics) {
    return ImageDataset("x", images, y, {"a"}, std::move(statistics));
  };
  REQUIRE_THROWS_WITH(make(Tensor::zeros({2, 4, 4, 1}), labels, {{0}, {1}}), contains("u8"));
  REQUIRE_THROWS_WITH(make(Tensor::zeros({2, 4, 4}, Dtype::U8), labels, {{0}, {1}}),
                      contains("(2, 4, 4)"));
  REQUIRE_THROWS_WITH(make(Tensor::zeros({2, 4, 4, 7}, Dtype::U8), labels, {{0}, {1}}),
                      contains("1 to 4 channels"));
  REQUIRE_THROWS_WITH(make(Tensor::zeros({3, 4, 4, 1}, Dtype::U8), labels, {{0}, {1}}),
                      contains("labels must be i64"));
  REQUIRE_THROWS_WITH(make(Tensor::zeros({2, 4, 4, 3}, Dtype::U8), labels, {{0}, {1}}),
                      contains("per channel"));
}

TEST_CASE("dataset: select, subset, take") {
  std::vector<int64_t> labels;
  for (int i = 0; i < 60; ++i) labels.push_back(i % 7 == 0 ? 2 : i % 2);
  const ImageDataset data = small(labels, 3);

  const std::vector<int64_t> indices = {5, 0, 5};
  const ImageDataset picked = data.select(indices);
  CHECK(picked.size() == 3);
  CHECK(picked.get(0).pixels[0] == 5);
  CHECK(picked.get(1).pixels[0] == 0);
  CHECK(picked.label(1) == 2);
  CHECK(data.subset(10).get(9).pixels[0] == 9);
  REQUIRE_THROWS_WITH(data.subset(61), contains("61"));
  const std::vector<int64_t> outside = {60};
  REQUIRE_THROWS_WITH(data.select(outside), contains("image 60"));

  const ImageDataset taken = data.take(20, 3);
  std::map<int64_t, int> counts;
  std::set<int> seen;
  for (int64_t i = 0; i < taken.size(); ++i) {
    ++counts[taken.label(i)];
    seen.insert(taken.get(i).pixels[0]);
    CHECK(taken.label(i) == labels[taken.get(i).pixels[0]]);
  }
  CHECK(counts == std::map<int64_t, int>{{0, 7}, {1, 7}, {2, 6}});
  CHECK(seen.size() == 20);  // no image twice
  CHECK(taken.images().to_vector<int>() == data.take(20, 3).images().to_vector<int>());
  CHECK(taken.images().to_vector<int>() != data.take(20, 4).images().to_vector<int>());
  REQUIRE_THROWS_WITH(data.take(60, 0), contains("class c"));
}

TEST_CASE("dataset: the fingerprint tells data apart, and nothing else") {
  const ImageDataset data = small({0, 1, 1}, 2);
  CHECK(data.fingerprint() == small({0, 1, 1}, 2).fingerprint());
  CHECK(data.fingerprint().size() == 64);
  std::set<std::string> seen = {data.fingerprint(), small({0, 1, 0}, 2).fingerprint(),
                                small({0, 1, 1}, 3).fingerprint(), data.subset(2).fingerprint(),
                                data.resized(8, 8).fingerprint()};
  const Tensor pixels = data.images().clone();
  pixels.data<uint8_t>()[pixels.numel() - 1] ^= 1;
  seen.insert(
      ImageDataset("other name", pixels, data.labels(), data.class_names(), data.statistics())
          .fingerprint());
  CHECK(seen.size() == 6);
}

TEST_CASE("data: unknown names list the known ones") {
  REQUIRE_THROWS_WITH(load("cifar10", Split::Train),
                      contains("unknown data set 'cifar10'; known are fashion-mnist, mnist, "
                               "cifar-10, cifar-100, folder"));
  CHECK(dataset_names().size() == 5);
  CHECK(to_string(Split::Test) == "test");
}

TEST_CASE("data: nothing found names the three ways to get data") {
  TempDir empty;
  for (const std::string& name : dataset_names()) {
    if (name == "folder") continue;  // any folder is one
    CHECK(!locate(name, empty.path()));
    try {
      load(name, Split::Train, {.root = empty.path()});
      FAIL("no error");
    } catch (const Error& error) {
      const std::string text = error.what();
      CHECK_THAT(text, contains("no data found for " + name));
      CHECK_THAT(text, contains("looked in\n    " + empty.path().string()));
      CHECK_THAT(text, contains("apt-get install dataset-fashion-mnist"));
      CHECK_THAT(text, contains("--data-root"));
      CHECK_THAT(text, contains("DITTO_DATA"));
      CHECK_THAT(text, contains("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"));
    }
  }
  REQUIRE_THROWS_WITH(load("cifar-10", Split::Train, {.root = empty / "missing"}),
                      contains((empty / "missing").string()));
  const Environment unset(nullptr);
  REQUIRE_THROWS_WITH(load("cifar-10", Split::Train), contains("DITTO_DATA is not set"));
}

TEST_CASE("data: search order") {
  TempDir dir;
  const auto put = [&](const std::string& folder, const std::string& file) {
    std::filesystem::create_directories(dir / folder);
    testing::write_file(dir / folder / file, "x");
  };
  put("FashionMNIST/raw", "train-images-idx3-ubyte");
  put("MNIST/raw", "t10k-images.idx3-ubyte.gz");
  put("cifar-10-batches-bin", "test_batch.bin");
  put("cifar-100-mini", "train.bin");
  const Environment environment(dir.path().c_str());
  CHECK(locate("fashion-mnist") == dir / "FashionMNIST/raw");
  CHECK(locate("mnist") == dir / "MNIST/raw");
  CHECK(locate("cifar-10") == dir / "cifar-10-batches-bin");
  CHECK(locate("cifar-100") == dir / "cifar-100-mini");
  put("cifar-100-binary", "test.bin");
  put("fashion-mnist", "train-images-idx3-ubyte.gz");
  CHECK(locate("cifar-100") == dir / "cifar-100-binary");
  CHECK(locate("fashion-mnist") == dir / "fashion-mnist");
  // A root may be the folder itself; it is the only place then.
  CHECK(locate("cifar-10", dir / "cifar-10-batches-bin") == dir / "cifar-10-batches-bin");
  CHECK(!locate("cifar-10", dir / "cifar-100-mini"));
  // In a shared folder, MNIST and FashionMNIST would be confused.
  put(".", "t10k-images-idx3-ubyte");
  std::filesystem::remove_all(dir / "MNIST");
  CHECK(!locate("mnist"));
  CHECK(locate("mnist", dir.path()) == dir.path());
}
