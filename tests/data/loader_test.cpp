// What is in the batches of a loader: rows, replicas, mixing.
#include "data/loader.h"

#include <algorithm>
#include <cmath>

#include "tests/data/loader_samples.h"
#include "tests/support/catch.h"

using namespace ditto;
using namespace ditto::data;
using ditto::kernels::MixKind;
using namespace ditto::testing;

namespace {

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
