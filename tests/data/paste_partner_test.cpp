// Copy-paste in the loader of images with objects: partners depend on the replica alone, pixels,
// objects and frames are those of the two images, and partners that cannot be read.
#include "data/paste_partner.h"

#include <map>
#include <set>
#include <tuple>

#include "data/instance_loader.h"
#include "data/penn_fudan.h"
#include "data/transforms/color_jitter.h"
#include "data/transforms/cutout.h"
#include "data/transforms/flip.h"
#include "data/transforms/normalize.h"
#include "data/transforms/resize.h"
#include "data/transforms/scale_jitter.h"
#include "tests/data/instance_samples.h"
#include "tests/support/catch.h"
#include "tests/support/penn_fudan_files.h"

using namespace ditto;
using namespace ditto::data;
using namespace ditto::testing;

namespace {

AugmentPtr normalize() {
  const ChannelStatistics& s = pedestrians().statistics();
  return std::make_shared<Normalize>(s.mean, s.std);
}
AugmentPtr colours() {
  return chain({std::make_shared<ColorJitter>(JitterOptions{0.3, 0.3, 0.3, 0.1}), normalize()});
}
AugmentPtr jitter() {
  return chain({std::make_shared<ScaleJitter>(64, 48, ScaleJitterOptions{.low = 0.5, .high = 2}),
                std::make_shared<RandomFlip>()});
}
// Moves by whole pixels: what is seen on the canvas stands in the file.
AugmentPtr flips() { return std::make_shared<RandomFlip>(); }

// What belongs to row r, its padding left out.
std::vector<double> content(const InstanceBatch& batch, size_t r) {
  std::vector<double> out;
  const auto add_frame = [&](const Frame& f) {
    out.insert(out.end(), {f.map.a, f.map.b, f.map.c, f.map.d, f.map.e, f.map.f, f.visible.x0,
                           f.visible.y0, f.visible.x1, f.visible.y1});
  };
  const Frame& frame = batch.frames[r];
  add_frame(frame), add_frame(batch.pasted[r].frame);
  out.push_back(double(batch.pasted[r].sample));
  const int64_t width = batch.images.dim(2);
  const float* pixels =
      batch.images.data<float>() + static_cast<int64_t>(r) * batch.images.dim(1) * width * 3;
  for (int64_t y = 0; y < static_cast<int64_t>(frame.visible.y1); ++y)
    for (int64_t i = 0; i < static_cast<int64_t>(frame.visible.x1) * 3; ++i)
      out.push_back(pixels[y * width * 3 + i]);
  const Instances& objects = batch.instances[r];
  for (size_t k = 0; k < objects.size(); ++k)
    out.insert(out.end(), {objects.boxes[k].x0, objects.boxes[k].y1, double(objects.ids[k].image),
                           double(objects.ids[k].annotation), double(objects.ignore[k]),
                           objects.visibility.empty() ? 1 : objects.visibility[k],
                           double(objects.masks[k].area())});
  return out;
}

}  // namespace

TEST_CASE("copy-paste in the loader: the same bits for any workers, ranks and neighbours") {
  using Key = std::tuple<int64_t, int64_t, int32_t>;
  for (const double soften : {0.0, 2.0}) {
    std::map<Key, std::vector<double>> expected;
    int64_t pasted = 0;
    for (const int64_t batch_rows : {3, 4})
      for (const int world : {1, 2, 4})
        for (const int workers : {1, 2, 8})
          for (int rank = 0; rank < world; ++rank) {
            InstanceLoader loader(
                pedestrians(),
                std::make_shared<GroupedSampler>(8, 3, 5, true, Shard{.rank = rank, .world = world},
                                                 Sharding::Spread),
                jitter(), std::make_shared<Resize>(64, 48),
                {.batch = batch_rows,
                 .workers = workers,
                 .seed = 7,
                 .paste = {.probability = 0.7, .soften = soften},
                 .colours = colours()});
            while (const auto batch = loader.next())
              for (size_t r = 0; r < batch->samples.size(); ++r) {
                pasted += batch->pasted[r].sample >= 0;
                const auto [entry, is_new] = expected.try_emplace(
                    {batch->epoch, batch->samples[r], batch->replicas[r]}, content(*batch, r));
                if (!is_new) REQUIRE(entry->second == content(*batch, r));
              }
          }
    REQUIRE(expected.size() == 24);
    CHECK(pasted > 18 * 24 / 3);  // of 18 runs, 0.7 less what finds no object
  }
}

TEST_CASE("copy-paste in the loader: pixels, objects and frames are those of the two images") {
  const InstanceDataset& data = pedestrians();
  const auto make = [&](double probability) {
    return std::make_unique<InstanceLoader>(data, std::make_shared<GroupedSampler>(8, 6, 3, true),
                                            flips(), flips(),
                                            InstanceLoaderOptions{.batch = 4,
                                                                  .workers = 1,
                                                                  .seed = 2,
                                                                  .paste = {probability, 0.5, 0},
                                                                  .colours = normalize()});
  };
  const auto loader = make(1), plain = make(0);
  std::map<int64_t, std::set<int64_t>> partners;
  int64_t ignored = 0, copied = 0;
  while (const auto batch = loader->next()) {
    const auto without = plain->next();
    REQUIRE(batch->images.shape() == without->images.shape());
    const int width = static_cast<int>(batch->images.dim(2));
    const int height = static_cast<int>(batch->images.dim(1));
    for (size_t r = 0; r < batch->samples.size(); ++r) {
      const PastedRow& paste = batch->pasted[r];
      const Instances &objects = batch->instances[r], &own = without->instances[r];
      CHECK(without->pasted[r].sample == -1);
      // The row itself is drawn as without pasting.
      REQUIRE(batch->frames[r].map == without->frames[r].map);
      REQUIRE(batch->frames[r].visible == without->frames[r].visible);
      check_instances(objects, width, height);
      REQUIRE(paste.sample >= 0);  // everything survives a flip
      REQUIRE(paste.sample != batch->samples[r]);
      partners[batch->samples[r]].insert(paste.sample);
      REQUIRE(paste.pasted.size() == objects.size());

      Rle cover(height, width);
      for (size_t k = 0; k < objects.size(); ++k) {
        const bool is_pasted = paste.pasted[k] == 1;
        const int64_t sample = is_pasted ? paste.sample : batch->samples[r];
        CHECK(objects.ids[k].image == data.instances(sample).ids.front().image);
        CHECK(&batch->frame_of(r, k) == (is_pasted ? &paste.frame : &batch->frames[r]));
        // Back in its image, each lies inside the object it came from.
        const Rect back = batch->frame_of(r, k).inverse().map(objects.boxes[k]);
        const Instances& origin = data.instances(sample);
        const auto at =
            static_cast<size_t>(std::ranges::find(origin.ids, objects.ids[k]) - origin.ids.begin());
        REQUIRE(at < origin.size());
        CHECK(intersection(back, origin.boxes[at]) == back);
        if (is_pasted) cover = cover | objects.masks[k];
      }
      REQUIRE_FALSE(cover.empty());
      // The row's own objects lose what is covered, and the rules decide.
      size_t next = 0;
      for (size_t k = 0; k < own.size(); ++k) {
        const Rle left = own.masks[k] - cover;
        if (left.empty()) continue;
        REQUIRE(objects.ids[next] == own.ids[k]);
        CHECK(objects.masks[next].text() == left.text());
        const double part = double(left.area()) / double(own.masks[k].area());
        CHECK(objects.visibility[next] == Approx(part * own.visibility[k]));
        CHECK(objects.ignore[next] == !survives({}, part, left.area(), left.box()));
        ignored += objects.ignore[next++];
      }
      CHECK(next == static_cast<size_t>(std::ranges::count(paste.pasted, 0)));

      const std::vector<uint8_t> covered = cover.decode();
      const Tensor source = data.image(paste.sample);
      const Affine back = paste.frame.map.inverse();
      const int64_t first = static_cast<int64_t>(r) * height * width * 3;
      const float* got = batch->images.data<float>() + first;
      const float* before = without->images.data<float>() + first;
      int64_t wrong = 0;
      for (int64_t y = 0; y < height; ++y)
        for (int64_t x = 0; x < width; ++x)
          for (int64_t c = 0; c < 3; ++c) {
            const int64_t i = (y * width + x) * 3 + c;
            if (!covered[static_cast<size_t>(i / 3)]) {
              // The same but for the rounding of a canvas between geometry and colours.
              wrong += std::fabs(got[i] - before[i]) > 1e-5f;
              continue;
            }
            const Point p = back(Point{double(x) + 0.5, double(y) + 0.5});
            const auto u = static_cast<int64_t>(p.x), v = static_cast<int64_t>(p.y);
            const double value = source.data<uint8_t>()[(v * source.dim(1) + u) * 3 + c] / 255.0;
            const auto channel = static_cast<size_t>(c);
            const ChannelStatistics& s = data.statistics();
            wrong += std::fabs(got[i] - (value - s.mean[channel]) / s.std[channel]) > 1e-5;
            ++copied;
          }
      REQUIRE(wrong == 0);
    }
  }
  CHECK(copied > 10000);
  CHECK(ignored > 0);
  std::set<int64_t> all;
  for (const auto& [sample, of_sample] : partners) {
    CHECK(of_sample.size() >= 2);  // replicas differ
    all.insert(of_sample.begin(), of_sample.end());
  }
  CHECK(all.size() == 8);
}

TEST_CASE("copy-paste in the loader: a partner that cannot be read leaves the row as it was") {
  const TempDir dir;
  const std::vector<int64_t> two = {0, 1};
  write_penn_fudan(dir.path(), pedestrians().select(two));
  write_file(dir / "PNGImages/pedestrians1.png", "no picture");
  const auto make = [&](OnBadImage policy, double probability) {
    return std::make_unique<InstanceLoader>(
        load_penn_fudan(dir.path(), {.on_bad_image = policy}),
        std::make_shared<GroupedSampler>(2, 4, 1, true), flips(), flips(),
        InstanceLoaderOptions{
            .batch = 8, .workers = 1, .paste = {.probability = probability}, .colours = colours()});
  };
  const auto batch = make(OnBadImage::Skip, 1)->next(), plain = make(OnBadImage::Skip, 0)->next();
  REQUIRE(batch->size() == 4);
  CHECK(batch->images.to_vector<float>() == plain->images.to_vector<float>());
  for (size_t r = 0; r < 4; ++r) {
    CHECK(batch->samples[r] == 0);
    CHECK(batch->pasted[r].sample == -1);
    CHECK(batch->instances[r].boxes == plain->instances[r].boxes);
    CHECK(batch->instances[r].ignore == plain->instances[r].ignore);
    for (size_t k = 0; k < batch->instances[r].size(); ++k)
      CHECK(&batch->frame_of(r, k) == &batch->frames[r]);
  }
  const auto failing = make(OnBadImage::Error, 1);
  REQUIRE_THROWS_WITH(failing->next(), contains("pedestrians1.png"));
}

TEST_CASE("copy-paste in the loader: small sets, the same image twice, and errors") {
  const auto make = [&](const InstanceDataset& data, const InstanceLoaderOptions& options) {
    return std::make_unique<InstanceLoader>(data, std::make_shared<SequentialSampler>(data.size()),
                                            flips(), flips(), options);
  };
  const InstanceLoaderOptions always{.workers = 0, .paste = {.probability = 1}};
  for (const std::vector<int64_t>& chosen : {std::vector<int64_t>{3}, {3, 3}}) {
    const auto batch = make(pedestrians().select(chosen), always)->next();
    REQUIRE(batch->size() == static_cast<int64_t>(chosen.size()));
    for (const PastedRow& row : batch->pasted) CHECK(row.sample == -1);
  }
  InstanceLoaderOptions wrong = always;
  wrong.paste.probability = 1.5;
  REQUIRE_THROWS_WITH(make(pedestrians(), wrong), contains("must be in [0, 1], got 1.5"));
  wrong = always;
  wrong.colours = std::make_shared<Cutout>(8);
  const auto loader = make(pedestrians(), wrong);
  REQUIRE_THROWS_WITH(loader->next(), contains("may not move, cut or erase"));
  AnnotatedImage bare = pedestrians().annotated(0);
  bare.instances.masks.clear();
  class Grey : public ImageReader {
   public:
    Tensor read(int64_t) const override { return {}; }
    std::string fingerprint() const override { return "grey"; }
  };
  const InstanceDataset boxes("boxes", std::make_shared<Grey>(), {bare}, {"pedestrian"},
                              imagenet_statistics());
  REQUIRE_THROWS_WITH(make(boxes, always),
                      contains("copy-paste needs masks; none in image pedestrians0"));
}
