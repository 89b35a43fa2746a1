// Batches of images with objects whose pixels are made on the CUDA device (a GPU or the emulated
// one) from decoded images that the workers hand over.
#include "core/graph_capture.h"
#include "data/instance_loader.h"
#include "data/transforms/affine.h"
#include "data/transforms/blur.h"
#include "data/transforms/color_jitter.h"
#include "data/transforms/cutout.h"
#include "data/transforms/flip.h"
#include "data/transforms/normalize.h"
#include "data/transforms/resize.h"
#include "data/transforms/scale_jitter.h"
#include "tests/data/instance_samples.h"
#include "tests/support/cuda.h"
#include "tests/support/distance.h"

#ifdef DITTO_CUDA_EMULATED
#include "tests/cuda_emulation/cudart.h"
#endif

namespace ditto::data {
namespace {

using testing::AugmentPtr;
using testing::chain;
using testing::contains;
using testing::kCuda;
using testing::pedestrians;

// A canvas of one size, or the image's own.
AugmentPtr jitter() {
  return chain({std::make_shared<ScaleJitter>(72, 56, ScaleJitterOptions{.low = 0.5, .high = 2}),
                std::make_shared<RandomFlip>(), std::make_shared<Cutout>(6)});
}
AugmentPtr turns() {
  return chain({std::make_shared<RandomFlip>(),
                std::make_shared<RandomAffine>(AffineOptions{.degrees = 10})});
}
AugmentPtr colours() {
  const ChannelStatistics& s = pedestrians().statistics();
  return chain({std::make_shared<ColorJitter>(JitterOptions{0.3, 0.3, 0.3, 0.1}),
                std::make_shared<RandomBlur>(BlurOptions{.probability = 0.5}),
                std::make_shared<Normalize>(s.mean, s.std)});
}

std::unique_ptr<InstanceLoader> make_loader(const AugmentPtr& augment,
                                            const InstanceLoaderOptions& options) {
  return std::make_unique<InstanceLoader>(
      pedestrians(), std::make_shared<GroupedSampler>(pedestrians().size(), 2, 7, true), augment,
      std::make_shared<Resize>(72, 56), options);
}

}  // namespace

TEST_CASE("cuda instance loader: the batches of the host, up to rounding", "[gpu]") {
  DITTO_NEEDS_CUDA();
  for (const AugmentPtr& augment : {jitter(), turns()})
    for (const double soften : {0.0, 2.0})
      for (const int workers : {0, 2}) {
        InstanceLoaderOptions options{.batch = 5,
                                      .workers = workers,
                                      .seed = 5,
                                      .pinned = workers > 0,
                                      .paste = {.probability = 0.6, .soften = soften},
                                      .colours = colours()};
        const auto host = make_loader(augment, options);
        options.device = kCuda;
        const auto device = make_loader(augment, options);
        int64_t pasted = 0;
        for (int i = 0; i < 6; ++i) {  // into the second epoch
          const auto a = host->next(), b = device->next();
          REQUIRE(a.has_value() == b.has_value());
          if (!a) continue;
          CHECK(b->images.device() == kCuda);
          CHECK(b->images.shape() == a->images.shape());
          // Roundings of pixels in [0, 1], scaled by 1 / 0.224.
          CHECK(testing::max_distance(a->images.to_vector<float>(), b->images.to_vector<float>()) <=
                5 * 1e-5);
          CHECK(b->samples == a->samples);
          CHECK(b->replicas == a->replicas);
          for (size_t r = 0; r < a->samples.size(); ++r) {
            CHECK(b->frames[r].map == a->frames[r].map);
            CHECK(b->instances[r].boxes == a->instances[r].boxes);
            CHECK(b->pasted[r].sample == a->pasted[r].sample);
            pasted += a->pasted[r].sample >= 0;
          }
        }
        CHECK(pasted > 0);
      }
}

#ifdef DITTO_CUDA_EMULATED
TEST_CASE("cuda instance loader: the host does not wait for the device", "[gpu]") {
  DITTO_NEEDS_CUDA();
  for (const int workers : {0, 1}) {
    const auto loader = make_loader(jitter(), {.batch = 5,
                                               .workers = workers,
                                               .seed = 5,
                                               .device = kCuda,
                                               .paste = {.probability = 0.6, .soften = 1},
                                               .colours = colours()});
    loader->batches();  // the workers start
    synchronize(kCuda);
    const auto waits = [] {
      return emulation::call_count("cudaStreamSynchronize") +
             emulation::call_count("cudaDeviceSynchronize");
    };
    const int before = waits();
    uint64_t pending = 0;
    for (int i = 0; i < 2; ++i) {
      const auto batch = loader->next();
      REQUIRE(batch);
      CHECK(emulation::pending_operations() > pending);  // nothing of the last batch has run
      pending = emulation::pending_operations();
    }
    CHECK(waits() == before);
    synchronize(kCuda);
  }
}
#endif

TEST_CASE("cuda instance loader: a failure is thrown, and the batch comes again", "[gpu]") {
  DITTO_NEEDS_CUDA();
  const InstanceLoaderOptions options{.batch = 4, .workers = 1, .seed = 5, .device = kCuda};
  const auto loader = make_loader(jitter(), options), other = make_loader(jitter(), options);
  GraphCapture capture(nullptr);
  detail::current_capture = &capture;  // as in the middle of a capture, where it cannot work
  CHECK_THROWS_WITH(loader->next(), contains("cannot be captured"));
  detail::current_capture = nullptr;
  CHECK(loader->next()->images.to_vector<float>() == other->next()->images.to_vector<float>());
  CHECK(loader->position() == LoaderPosition{0, 1});
}

}  // namespace ditto::data
