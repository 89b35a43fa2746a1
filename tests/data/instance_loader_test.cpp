// Batches of images with objects: canvas and frames, the same replicas for any workers, ranks and
// neighbours, positions, and images that cannot be read.
#include "data/instance_loader.h"

#include <map>
#include <tuple>

#include "data/penn_fudan.h"
#include "data/synthetic_pedestrians.h"
#include "data/transforms/flip.h"
#include "data/transforms/normalize.h"
#include "data/transforms/resize.h"
#include "data/transforms/scale_jitter.h"
#include "tests/support/catch.h"
#include "tests/support/counting_reader.h"
#include "tests/support/penn_fudan_files.h"

using namespace ditto;
using namespace ditto::data;
using namespace ditto::testing;

namespace {

const InstanceDataset& pedestrians() {
  static const InstanceDataset dataset =
      synthetic_pedestrians({.images = 8, .width = 96, .height = 80, .most = 3, .seed = 2});
  return dataset;
}

std::shared_ptr<const Augment> normalize() {
  const ChannelStatistics& s = pedestrians().statistics();
  return std::make_shared<Normalize>(s.mean, s.std);
}

// Keeps the image's size, or jitters it on a canvas of 64 x 48.
std::shared_ptr<const Augment> flips() {
  return std::make_shared<Compose>(
      std::vector<std::shared_ptr<const Augment>>{std::make_shared<RandomFlip>(), normalize()});
}
std::shared_ptr<const Augment> jitter() {
  return std::make_shared<Compose>(std::vector<std::shared_ptr<const Augment>>{
      std::make_shared<ScaleJitter>(64, 48, ScaleJitterOptions{.low = 0.5, .high = 2}),
      std::make_shared<RandomFlip>(), normalize()});
}
std::shared_ptr<const Augment> whole() {
  return std::make_shared<Compose>(
      std::vector<std::shared_ptr<const Augment>>{std::make_shared<Resize>(64, 48), normalize()});
}

// What belongs to the replica in row r, whatever stands beside it in the batch.
std::vector<double> content(const InstanceBatch& batch, int64_t r) {
  const auto at = static_cast<size_t>(r);
  const Frame& frame = batch.frames[at];
  std::vector<double> out = {frame.map.a,      frame.map.b,     frame.map.c,      frame.map.d,
                             frame.map.e,      frame.map.f,     frame.visible.x0, frame.visible.y0,
                             frame.visible.x1, frame.visible.y1};
  const int64_t width = batch.images.dim(2), channels = batch.images.dim(3);
  const float* pixels = batch.images.data<float>() + r * batch.images.dim(1) * width * channels;
  for (int64_t y = 0; y < static_cast<int64_t>(frame.visible.y1); ++y)
    for (int64_t i = 0; i < static_cast<int64_t>(frame.visible.x1) * channels; ++i)
      out.push_back(pixels[y * width * channels + i]);
  const Instances& objects = batch.instances[at];
  for (size_t k = 0; k < objects.size(); ++k) {
    const Rect& box = objects.boxes[k];
    out.insert(out.end(), {box.x0, box.y0, box.x1, box.y1, double(objects.ids[k].image),
                           double(objects.ids[k].annotation), double(objects.ignore[k]),
                           double(objects.masks[k].area())});
  }
  return out;
}

}  // namespace

TEST_CASE("instance loader: rows lie in the corner of one canvas, and frames say so") {
  const InstanceDataset& data = pedestrians();
  InstanceLoader loader(data, std::make_shared<SequentialSampler>(8), flips(), flips(),
                        {.batch = 4, .workers = 1});
  CHECK(loader.batches() == 2);
  int64_t rows = 0;
  while (const auto batch = loader.next()) {
    int widest = 0, highest = 0;
    for (const int64_t sample : batch->samples) {
      widest = std::max(widest, data.annotated(sample).width);
      highest = std::max(highest, data.annotated(sample).height);
    }
    CHECK(batch->images.shape() == Shape{4, (highest + 31) / 32 * 32, (widest + 31) / 32 * 32, 3});
    for (int64_t r = 0; r < batch->size(); ++r, ++rows) {
      const auto at = static_cast<size_t>(r);
      const AnnotatedImage& image = data.annotated(batch->samples[at]);
      const Frame& frame = batch->frames[at];
      CHECK(frame.width == batch->images.dim(2));
      CHECK(frame.height == batch->images.dim(1));
      CHECK(frame.visible == Rect{0, 0, double(image.width), double(image.height)});
      check_instances(batch->instances[at], frame.width, frame.height);
      CHECK(batch->instances[at].ids == image.instances.ids);
      for (size_t k = 0; k < image.instances.size(); ++k)
        CHECK(batch->instances[at].boxes[k] == frame.map(image.instances.boxes[k]));
      // The padding is the fill colour, which is 0 after the normalisation.
      const float* last = batch->images.data<float>() +
                          (r + 1) * batch->images.dim(1) * batch->images.dim(2) * 3 - 3;
      if (image.width < frame.width)
        for (int c = 0; c < 3; ++c) CHECK(std::fabs(last[c]) < 1e-6f);
    }
  }
  CHECK(rows == 8);
}

TEST_CASE("instance loader: the same replica on any workers and ranks, beside any neighbours") {
  using Key = std::tuple<int64_t, int64_t, int32_t>;
  for (const auto& augment : {flips(), jitter()}) {
    std::map<Key, std::vector<double>> expected;
    for (const int64_t batch_rows : {3, 4})
      for (const int world : {1, 2, 4})
        for (const int workers : {1, 2, 8}) {
          int64_t rows = 0;
          for (int rank = 0; rank < world; ++rank) {
            InstanceLoader loader(pedestrians(),
                                  std::make_shared<GroupedSampler>(
                                      8, 3, 5, true, Shard{.rank = rank, .world = world}),
                                  augment, whole(),
                                  {.batch = batch_rows, .workers = workers, .seed = 7});
            while (const auto batch = loader.next())
              for (int64_t r = 0; r < batch->size(); ++r, ++rows) {
                const auto at = static_cast<size_t>(r);
                const auto [entry, is_new] = expected.try_emplace(
                    Key{batch->epoch, batch->samples[at], batch->replicas[at]}, content(*batch, r));
                if (!is_new) REQUIRE(entry->second == content(*batch, r));
              }
          }
          REQUIRE(rows == 24);
          REQUIRE(expected.size() == 24);
        }
  }
}

TEST_CASE("instance loader: a fixed canvas, and positions taken up exactly") {
  const auto make = [] {
    return std::make_unique<InstanceLoader>(
        pedestrians(), std::make_shared<RandomSampler>(8, 3), jitter(), whole(),
        InstanceLoaderOptions{
            .batch = 3, .workers = 2, .seed = 1, .pinned = true, .width = 96, .height = 64});
  };
  const auto loader = make();
  std::vector<std::vector<float>> expected;
  std::vector<LoaderPosition> positions;
  for (int epoch = 0; epoch < 2; ++epoch)
    for (;;) {
      const LoaderPosition position = loader->position();
      const auto batch = loader->next();
      if (!batch) break;
      CHECK(batch->images.dim(1) == 64);
      CHECK(batch->images.dim(2) == 96);
      positions.push_back(position);
      expected.push_back(batch->images.to_vector<float>());
    }
  REQUIRE(expected.size() == 6);
  for (size_t i = 0; i < positions.size(); ++i) {
    const auto resumed = make();
    resumed->seek(positions[i]);
    CHECK(resumed->next()->images.to_vector<float>() == expected[i]);
  }
  InstanceLoader narrow(pedestrians(), std::make_shared<RandomSampler>(8, 3), jitter(), whole(),
                        {.workers = 0, .width = 32, .height = 64});
  REQUIRE_THROWS_WITH(narrow.next(), contains("does not fit the canvas of 32 x 64"));
  REQUIRE_THROWS_WITH(InstanceLoader(pedestrians(), std::make_shared<RandomSampler>(8, 3), jitter(),
                                     whole(), {.width = 32}),
                      contains("must both be given"));
  REQUIRE_THROWS_WITH(
      InstanceLoader(pedestrians(), std::make_shared<RandomSampler>(7, 3), jitter(), whole(), {}),
      contains("the sampler is for 7 images, the data set has 8"));
}

TEST_CASE("instance loader: images that cannot be read are left out, with all their rows") {
  const TempDir dir;
  write_penn_fudan(dir.path(), pedestrians());
  // One is no picture, one has another size than its annotation.
  write_file(dir / "PNGImages/pedestrians2.png", "no picture");
  write_file(dir / "PNGImages/pedestrians5.png", png_of(pedestrians().image(4)));
  const InstanceDataset strict = load_penn_fudan(dir.path());
  InstanceLoader failing(strict, std::make_shared<SequentialSampler>(8), flips(), flips(),
                         {.batch = 8, .workers = 1});
  REQUIRE_THROWS_WITH(failing.next(), contains("pedestrians2.png"));
  const InstanceDataset skip = load_penn_fudan(dir.path(), {.on_bad_image = OnBadImage::Skip});
  InstanceLoader loader(skip, std::make_shared<GroupedSampler>(8, 2, 1, true), flips(), flips(),
                        {.batch = 4, .workers = 2});
  int64_t rows = 0;
  while (const auto batch = loader.next()) {
    rows += batch->size();
    CHECK(batch->size() == batch->images.dim(0));
    CHECK(batch->frames.size() == static_cast<size_t>(batch->size()));
    CHECK(batch->instances.size() == static_cast<size_t>(batch->size()));
    for (const int64_t sample : batch->samples) CHECK((sample != 2 && sample != 5));
  }
  CHECK(rows == 12);
  REQUIRE(skip.bad_images().size() == 2);
  CHECK_THAT(skip.bad_images()[1], contains("pedestrians5.png has"));
}

TEST_CASE("synthetic pedestrians: the same scenes from the same seed, with boxes and masks") {
  const InstanceDataset again =
      synthetic_pedestrians({.images = 8, .width = 96, .height = 80, .most = 3, .seed = 2});
  CHECK(again.fingerprint() == pedestrians().fingerprint());
  int64_t objects = 0;
  for (int64_t i = 0; i < again.size(); ++i) {
    CHECK(again.image(i).to_vector<int>() == pedestrians().image(i).to_vector<int>());
    objects += again.instances(i).objects();
    for (size_t k = 0; k < again.instances(i).size(); ++k)
      CHECK(again.instances(i).masks[k].box() == again.instances(i).boxes[k]);
  }
  CHECK(objects >= 8);
  CHECK(synthetic_pedestrians({.images = 2, .seed = 3}).fingerprint() !=
        synthetic_pedestrians({.images = 2, .seed = 4}).fingerprint());
  REQUIRE_THROWS_WITH(synthetic_pedestrians({.width = 10}), contains("must be in [64, 4096]"));
}

TEST_CASE("instance loader: a photograph is read once for all its replicas") {
  const auto reader =
      std::make_shared<CountingReader>([](int64_t index) { return pedestrians().image(index); });
  std::vector<AnnotatedImage> images;
  for (int64_t i = 0; i < 8; ++i) images.push_back(pedestrians().annotated(i));
  const InstanceDataset data("counting", reader, images, {"person"}, pedestrians().statistics());
  InstanceLoader loader(data, std::make_shared<GroupedSampler>(8, 4, 1, true), jitter(), whole(),
                        {.batch = 8, .workers = 0});
  int64_t rows = 0;
  while (const auto batch = loader.next()) rows += static_cast<int64_t>(batch->samples.size());
  CHECK(rows == 32);
  CHECK(reader->reads == 8);
}
