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

}  // namespace ditto::data
