// Batches that are augmented on the CUDA device (a GPU or the emulated one) from a data set that
// lives there.
#include "core/graph_capture.h"
#include "data/augment.h"
#include "data/loader.h"
#include "tests/support/cuda.h"
#include "tests/support/distance.h"

namespace ditto::data {
namespace {

using testing::contains;
using testing::kCuda;

ImageDataset random_dataset(int64_t n) {
  Tensor images = Tensor::empty({n, 8, 8, 3}, Dtype::U8), labels = Tensor::empty({n}, Dtype::I64);
  Rng rng(99);
  for (int64_t i = 0; i < images.numel(); ++i)
    images.data<uint8_t>()[i] = static_cast<uint8_t>(rng.below(256));
  for (int64_t i = 0; i < n; ++i) labels.data<int64_t>()[i] = static_cast<int64_t>(rng.below(3));
  return {"random", images, labels, {"a", "b", "c"}, {{0.5f, 0.4f, 0.3f}, {0.2f, 0.2f, 0.2f}}};
}

std::unique_ptr<DataLoader> make_loader(const ImageDataset& dataset, const AugmentOptions& augment,
                                        const LoaderOptions& options) {
  return std::make_unique<DataLoader>(dataset, std::make_shared<GroupedSampler>(24, 2, 7),
                                      make_augment(augment, dataset.statistics()), options);
}

double distance(const Tensor& a, const Tensor& b) {
  return testing::max_distance(a.to_vector<float>(), b.to_vector<float>());
}

}  // namespace

TEST_CASE("cuda loader: the batches of the host, up to rounding", "[gpu]") {
  DITTO_NEEDS_CUDA();
  const ImageDataset dataset = random_dataset(24);
  const AugmentOptions plain{.crop_padding = 2, .flip = true, .cutout = 3},
      rich{.crop_padding = 1,
           .flip = true,
           .affine = {.degrees = 15, .translate = 0.1},
           .jitter = {0.4, 0.4, 0.4, 0.1, 0.8},
           .rand_affine = 0.2,
           .grayscale = 0.2,
           .blur = 0.5,
           .solarize = 0.3};
  for (const AugmentOptions& augment : {plain, rich})
    for (const bool mixed : {false, true})
      for (const int workers : {0, 2}) {
        LoaderOptions options{.batch = 10, .workers = workers, .seed = 5};
        if (mixed) options.mix = {.cutmix_alpha = 1, .mixup_alpha = 1, .probability = 0.7};
        const auto host = make_loader(dataset, augment, options);
        options.device = kCuda;
        const auto device = make_loader(dataset, augment, options);
        CHECK(device->note().empty());
        for (int i = 0; i < 6; ++i) {  // into the second epoch, whose third batch has 4 rows
          const auto a = host->next(), b = device->next();
          REQUIRE(a.has_value() == b.has_value());
          if (!a) continue;
          CHECK(b->images.device() == kCuda);
          CHECK(b->images.shape() == a->images.shape());
          // The bound of the kernels' own tests, for pixels that are scaled by 1 / 0.2.
          CHECK(distance(a->images, b->images) <= 5 * 3e-6);
          CHECK(b->labels.device() == kCpu);
          CHECK(b->labels.to_vector<int64_t>() == a->labels.to_vector<int64_t>());
          CHECK(b->samples == a->samples);
          CHECK(b->groups == a->groups);
          CHECK(b->replicas == a->replicas);
          CHECK(b->epoch == a->epoch);
          CHECK(b->index == a->index);
          CHECK(b->frames.size() == a->frames.size());
          CHECK(b->targets.defined() == mixed);
          if (mixed) CHECK(distance(a->targets, b->targets) == 0);
        }
      }
}

TEST_CASE("cuda loader: position and seek are those of the host", "[gpu]") {
  DITTO_NEEDS_CUDA();
  const ImageDataset dataset = random_dataset(24);
  const LoaderOptions options{.batch = 10, .workers = 1, .seed = 5, .device = kCuda};
  const auto loader = make_loader(dataset, {.flip = true}, options);
  std::vector<std::vector<float>> batches;
  for (int i = 0; i < 3; ++i) batches.push_back(loader->next()->images.to_vector<float>());
  CHECK(loader->position() == LoaderPosition{0, 3});
  loader->seek({0, 1});
  for (size_t i = 1; i < 3; ++i) CHECK(loader->next()->images.to_vector<float>() == batches[i]);
}

TEST_CASE("cuda loader: a set above the limit stays on the CPU, and says so", "[gpu]") {
  DITTO_NEEDS_CUDA();
  const ImageDataset dataset = random_dataset(24);
  const int64_t bytes = 24 * 8 * 8 * 3;
  LoaderOptions options{.batch = 4, .workers = 0, .device = kCuda, .device_limit = bytes};
  CHECK(make_loader(dataset, {}, options)->note().empty());
  options.device_limit = bytes - 1;
  const int64_t before = memory_stats(kCuda).current;
  const auto loader = make_loader(dataset, {}, options);
  CHECK(memory_stats(kCuda).current == before);
  CHECK_THAT(loader->note(), contains("random is augmented on the CPU: its 4608 bytes are above "
                                      "the limit of 4607 on cuda:0"));
  CHECK(loader->next()->images.device() == kCpu);
}

TEST_CASE("cuda loader: a failure of the device is thrown, and the batch comes again", "[gpu]") {
  DITTO_NEEDS_CUDA();
  const ImageDataset dataset = random_dataset(24);
  const LoaderOptions options{.batch = 4, .workers = 1, .seed = 5, .device = kCuda};
  const auto loader = make_loader(dataset, {}, options), other = make_loader(dataset, {}, options);
  GraphCapture capture(nullptr);
  detail::current_capture = &capture;  // as in the middle of a capture, where it cannot work
  CHECK_THROWS_WITH(loader->next(), contains("augment cannot be captured"));
  detail::current_capture = nullptr;
  CHECK(loader->next()->images.to_vector<float>() == other->next()->images.to_vector<float>());
  CHECK(loader->position() == LoaderPosition{0, 1});
}

TEST_CASE("cuda loader: batches made on the host for a device are in pinned memory", "[gpu]") {
  DITTO_NEEDS_CUDA();
  const ImageDataset dataset = random_dataset(24);
  for (const bool mixed : {false, true}) {
    LoaderOptions options{.batch = 10, .workers = 2, .seed = 5, .pinned = true};
    if (mixed) options.mix = {.cutmix_alpha = 1};
    const auto loader = make_loader(dataset, {.flip = true}, options);
    options.pinned = false;
    const auto plain = make_loader(dataset, {.flip = true}, options);
    while (const auto batch = loader->next()) {
      const auto other = plain->next();
      CHECK(batch->images.storage()->pinned());
      CHECK_FALSE(other->images.storage()->pinned());
      CHECK(batch->images.to(kCuda).to_vector<float>() == other->images.to_vector<float>());
    }
  }
}

}  // namespace ditto::data
