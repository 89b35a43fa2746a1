#include "data/fashion_mnist.h"

#include <cstring>

#include "data/idx.h"

namespace ditto::data {
namespace {

constexpr int64_t kPadded = 32;

// What is particular to one of the two data sets. Digests are of the uncompressed files (the
// compressed ones differ between distributors); statistics are of the padded training images.
struct Recipe {
  const char* name;
  std::vector<std::string> class_names;
  ChannelStatistics statistics;
  const char* digests[2][2];  // [split][images, labels]
};

const Recipe& fashion_mnist_recipe() {
  static const Recipe recipe{
      "fashion-mnist",
      {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
       "Ankle boot"},
      {{0.2190f}, {0.3318f}},
      {{"c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"},
       {"5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"}}};
  return recipe;
}

const Recipe& mnist_recipe() {
  static const Recipe recipe{
      "mnist",
      {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
      {{0.1000f}, {0.2752f}},
      {{"ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"},
       {"0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"}}};
  return recipe;
}

// The file in any of the spellings in use.
std::filesystem::path find_file(const std::filesystem::path& folder, const std::string& stem,
                                const char* kind) {
  std::error_code ignored;
  for (const char* join : {"-", "."})
    for (const char* suffix : {"", ".gz"}) {
      std::filesystem::path path = folder / (stem + join + kind + "-ubyte" + suffix);
      if (std::filesystem::exists(path, ignored)) return path;
    }
  fail("[idx] no file", (folder / (stem + "-" + kind + "-ubyte[.gz]")).string());
}

ImageDataset load(const Recipe& recipe, const std::filesystem::path& folder, Split split,
                  bool strict) {
  const std::string part = split == Split::Train ? "train" : "t10k";
  const auto image_path = find_file(folder, part + "-images", "idx3");
  const auto label_path = find_file(folder, part + "-labels", "idx1");
  const IdxArray images = read_idx(image_path, 3, strict);
  const IdxArray labels = read_idx(label_path, 1, strict);
  const int64_t n = images.sizes[0], height = images.sizes[1], width = images.sizes[2];
  check(labels.sizes[0] == n, "[idx]", image_path.string(), "has", n, "images but",
        label_path.string(), "has", labels.sizes[0], "labels");
  check(height == 28 && width == 28, "[idx] images of", recipe.name,
        "are 28 x 28:", image_path.string(), "has", height, width);
  const auto classes = static_cast<int64_t>(recipe.class_names.size());
  for (int64_t i = 0; i < n; ++i)
    check(labels.values[i] < classes, "[idx] label out of range:", label_path.string(), "byte",
          8 + i, "is", int{labels.values[i]});

  Tensor pixels = Tensor::zeros({n, kPadded, kPadded, 1}, Dtype::U8);
  const int64_t top = (kPadded - height) / 2, left = (kPadded - width) / 2;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t y = 0; y < height; ++y)
      std::memcpy(pixels.data<uint8_t>() + ((i * kPadded + top + y) * kPadded + left),
                  images.values.data() + (i * height + y) * width, static_cast<size_t>(width));

  ImageDataset dataset(recipe.name, pixels,
                       Tensor::from(std::span<const uint8_t>(labels.values), {n}, Dtype::I64),
                       recipe.class_names, recipe.statistics);
  dataset.set_fill({0, 0, 0, 0});  // what the padding and the background already are

  const int64_t official = split == Split::Train ? 60000 : 10000;
  const int row = split == Split::Train ? 0 : 1;
  if (strict) {
    check(n == official, "[idx]", image_path.string(), "has", n, "images, the official file has",
          official);
    check(images.sha256 == recipe.digests[row][0],
          "[idx] not the official file:", image_path.string(), "sha256 of its content is",
          images.sha256);
    check(labels.sha256 == recipe.digests[row][1],
          "[idx] not the official file:", label_path.string(), "sha256 of its content is",
          labels.sha256);
  } else if (n != official) {
    dataset.add_warning(image_path.string() + " has " + std::to_string(n) +
                        " images, the official file has " + std::to_string(official));
  }
  return dataset;
}

}  // namespace

ImageDataset load_fashion_mnist(const std::filesystem::path& folder, Split split, bool strict) {
  return load(fashion_mnist_recipe(), folder, split, strict);
}

ImageDataset load_mnist(const std::filesystem::path& folder, Split split, bool strict) {
  return load(mnist_recipe(), folder, split, strict);
}

}  // namespace ditto::data
