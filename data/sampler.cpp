#include "data/sampler.h"

#include <numeric>
#include <span>

#include "core/rng.h"

namespace ditto::data {
namespace {

// This rank's share of the groups [begin, end) of `images`, each as `replicas` rows.
std::vector<SampleItem> deal(std::span<const int64_t> images, int replicas, const Shard& shard) {
  std::vector<SampleItem> items;
  const size_t world = static_cast<size_t>(shard.world);
  items.reserve((images.size() / world + 1) * static_cast<size_t>(replicas));
  for (size_t g = static_cast<size_t>(shard.rank); g < images.size(); g += world)
    for (int32_t r = 0; r < replicas; ++r) items.push_back({images[g], images[g], r});
  return items;
}

// Without the remainder that would give some ranks more groups than others.
std::span<const int64_t> even(std::span<const int64_t> images, const Shard& shard) {
  return images.first(images.size() - images.size() % static_cast<size_t>(shard.world));
}

}  // namespace

Sampler::Sampler(int64_t n, const Shard& shard) : n_(n), shard_(shard) {
  check(n >= 0, "[sampler] negative size of the data set:", n);
  check(shard.world >= 1 && shard.rank >= 0 && shard.rank < shard.world,
        "[sampler] rank must be in [0, world), got", shard.rank, "of", shard.world);
}

std::vector<int64_t> Sampler::permutation(uint64_t seed, int64_t epoch) const {
  std::vector<int64_t> images(static_cast<size_t>(n_));
  std::iota(images.begin(), images.end(), int64_t{0});
  check(epoch >= 0, "[sampler] negative epoch:", epoch);
  Rng rng(seed, Purpose::Shuffle, 0, static_cast<uint64_t>(epoch));
  rng.shuffle(std::span(images));
  return images;
}

std::vector<SampleItem> SequentialSampler::order(int64_t) const {
  std::vector<int64_t> images(static_cast<size_t>(dataset_size()));
  std::iota(images.begin(), images.end(), int64_t{0});
  return deal(images, 1, shard());
}

std::vector<SampleItem> RandomSampler::order(int64_t epoch) const {
  return deal(even(permutation(seed_, epoch), shard()), 1, shard());
}

GroupedSampler::GroupedSampler(int64_t n, int replicas, uint64_t seed, bool full_pass,
                               const Shard& shard)
    : Sampler(n, shard), replicas_(replicas), seed_(seed), full_pass_(full_pass) {
  check(replicas >= 1 && replicas <= 256, "[sampler] replicas must be in [1, 256], got", replicas);
}

std::vector<SampleItem> GroupedSampler::order(int64_t epoch) const {
  if (full_pass_) return deal(even(permutation(seed_, epoch), shard()), replicas_, shard());
  const std::vector<int64_t> images = permutation(seed_, epoch / replicas_);
  const size_t groups = images.size() / static_cast<size_t>(replicas_);
  const size_t slice = static_cast<size_t>(epoch % replicas_);
  return deal(even(std::span(images).subspan(slice * groups, groups), shard()), replicas_, shard());
}

RASampler::RASampler(int64_t n, int repetitions, uint64_t seed, const Shard& shard,
                     Permutation permutation)
    : Sampler(n, shard),
      repetitions_(repetitions),
      seed_(seed),
      permutation_(std::move(permutation)) {
  check(repetitions >= 1 && repetitions <= 128, "[sampler] repetitions must be in [1, 128], got",
        repetitions);
}

std::vector<SampleItem> RASampler::uncut_order(int64_t epoch) const {
  const std::vector<int64_t> images =
      permutation_ ? permutation_(epoch) : permutation(seed_, epoch);
  check(static_cast<int64_t>(images.size()) == dataset_size(), "[sampler] a permutation of",
        images.size(), "images for a data set of", dataset_size());
  for (const int64_t image : images)
    check(image >= 0 && image < dataset_size(), "[sampler] the permutation has image", image, "of",
          dataset_size());
  const auto repetitions = static_cast<size_t>(repetitions_);
  const auto world = static_cast<size_t>(shard().world), rows = images.size() * repetitions;
  const size_t padded = (rows + world - 1) / world * world;
  std::vector<SampleItem> items;
  for (auto i = static_cast<size_t>(shard().rank); i < padded; i += world) {
    const int64_t image = images[i % rows / repetitions];
    // What is added at the end gets replica numbers of its own, hence an augmentation of its own.
    const size_t replica = i < rows ? i % repetitions : repetitions + (i - rows) % repetitions;
    items.push_back({image, image, static_cast<int32_t>(replica)});
  }
  return items;
}

std::vector<SampleItem> RASampler::order(int64_t epoch) const {
  std::vector<SampleItem> items = uncut_order(epoch);
  const int64_t rows = dataset_size() / 256 * 256 / shard().world;
  items.resize(std::min(items.size(), static_cast<size_t>(rows)));
  return items;
}

}  // namespace ditto::data
