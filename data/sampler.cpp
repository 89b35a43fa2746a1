#include "data/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>

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

// The same where images may be drawn more than once: replica numbers go on.
std::vector<SampleItem> deal_again(std::span<const int64_t> images, int replicas,
                                   const Shard& shard) {
  std::unordered_map<int64_t, int32_t> shown;
  std::vector<SampleItem> items;
  const size_t world = static_cast<size_t>(shard.world);
  for (size_t g = 0; g < images.size(); ++g) {
    int32_t& next = shown[images[g]];
    for (int32_t r = 0; r < replicas; ++r, next = (next + 1) % 256)
      if (g % world == static_cast<size_t>(shard.rank))
        items.push_back({images[g], images[g], next});
  }
  return items;
}

// This rank's share of the rows of all groups.
std::vector<SampleItem> spread(std::span<const int64_t> images, int replicas, const Shard& shard) {
  const auto m = static_cast<size_t>(replicas), world = static_cast<size_t>(shard.world);
  const size_t rows = images.size() * m / world * world;
  std::vector<SampleItem> items;
  for (auto row = static_cast<size_t>(shard.rank); row < rows; row += world)
    items.push_back({images[row / m], images[row / m], static_cast<int32_t>(row % m)});
  return items;
}

// Random numbers of a weighted or class-balanced draw; stream 0 is the permutation's.
Rng stream(uint64_t seed, uint64_t number, int64_t epoch) {
  check(epoch >= 0, "[sampler] negative epoch:", epoch);
  return Rng(seed, Purpose::Shuffle, 1 + number, static_cast<uint64_t>(epoch));
}

void check_replicas(int replicas) {
  check(replicas >= 1 && replicas <= 256, "[sampler] replicas must be in [1, 256], got", replicas);
}

// Without the remainder that would give some ranks more groups than others.
std::span<const int64_t> even(std::span<const int64_t> images, const Shard& shard) {
  return images.first(images.size() - images.size() % static_cast<size_t>(shard.world));
}

}  // namespace

std::vector<std::vector<size_t>> rows_by_sample(std::span<const SampleItem> items) {
  std::vector<std::vector<size_t>> rows;
  std::unordered_map<int64_t, size_t> place;
  for (size_t r = 0; r < items.size(); ++r) {
    const auto [entry, is_new] = place.try_emplace(items[r].sample, rows.size());
    if (is_new) rows.emplace_back();
    rows[entry->second].push_back(r);
  }
  return rows;
}

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

Sharding sharding(const std::string& name) {
  if (name == "spread") return Sharding::Spread;
  check(name == "group", "[sampler] sharding is group or spread, got", name);
  return Sharding::Group;
}

GroupedSampler::GroupedSampler(int64_t n, int replicas, uint64_t seed, bool full_pass,
                               const Shard& shard, Sharding sharding)
    : Sampler(n, shard),
      replicas_(replicas),
      seed_(seed),
      full_pass_(full_pass),
      sharding_(sharding) {
  check_replicas(replicas);
}

std::vector<SampleItem> GroupedSampler::order(int64_t epoch) const {
  check(epoch >= 0, "[sampler] epoch must not be negative, got", epoch);
  const std::vector<int64_t> images = permutation(seed_, full_pass_ ? epoch : epoch / replicas_);
  std::span<const int64_t> shown(images);
  if (!full_pass_) {
    const size_t groups = images.size() / static_cast<size_t>(replicas_);
    shown = shown.subspan(static_cast<size_t>(epoch % replicas_) * groups, groups);
  }
  return sharding_ == Sharding::Spread ? spread(shown, replicas_, shard())
                                       : deal(even(shown, shard()), replicas_, shard());
}

WeightedSampler::WeightedSampler(std::vector<double> weights, uint64_t seed,
                                 const WeightedOptions& options, const Shard& shard)
    : Sampler(static_cast<int64_t>(weights.size()), shard),
      weights_(std::move(weights)),
      seed_(seed),
      options_(options) {
  check_replicas(options.replicas);
  check(options.groups >= 0, "[sampler] negative number of draws:", options.groups);
  groups_ = options.groups > 0 ? options.groups : dataset_size() / options.replicas;
  sums_.reserve(weights_.size());
  double sum = 0;
  int64_t drawable = 0;
  for (size_t i = 0; i < weights_.size(); ++i) {
    check(std::isfinite(weights_[i]) && weights_[i] >= 0,
          "[sampler] a weight must be finite and not negative, got", weights_[i], "for image", i);
    sums_.push_back(sum += weights_[i]);
    drawable += weights_[i] > 0;
  }
  check(sum > 0 && std::isfinite(sum), "[sampler] the sum of the weights must be positive, got",
        sum);
  check(options.replacement || groups_ <= drawable, "[sampler] cannot draw", groups_,
        "images without replacement from", drawable, "with a weight");
}

std::vector<int64_t> WeightedSampler::with_replacement(int64_t epoch) const {
  Rng rng = stream(seed_, 0, epoch);
  std::vector<int64_t> images(static_cast<size_t>(groups_));
  for (int64_t& image : images) {
    // The first sum above u; u < sums_.back() but for a rounding.
    const auto found = std::ranges::upper_bound(sums_, rng.uniform() * sums_.back());
    image = std::min<int64_t>(found - sums_.begin(), dataset_size() - 1);
    while (weights_[static_cast<size_t>(image)] == 0) --image;
  }
  return images;
}

std::vector<int64_t> WeightedSampler::without_replacement(int64_t epoch) const {
  Rng rng = stream(seed_, 0, epoch);
  std::vector<std::pair<double, int64_t>> keys;
  for (size_t i = 0; i < weights_.size(); ++i) {
    const double u = 1 - rng.uniform();  // in (0, 1]
    if (weights_[i] > 0) keys.emplace_back(-std::log(u) / weights_[i], static_cast<int64_t>(i));
  }
  std::ranges::sort(keys);
  std::vector<int64_t> images;
  for (int64_t i = 0; i < groups_; ++i) images.push_back(keys[static_cast<size_t>(i)].second);
  return images;
}

std::vector<SampleItem> WeightedSampler::order(int64_t epoch) const {
  const std::vector<int64_t> images =
      options_.replacement ? with_replacement(epoch) : without_replacement(epoch);
  return deal_again(even(images, shard()), options_.replicas, shard());
}

ClassBalancedSampler::ClassBalancedSampler(std::span<const int64_t> labels, int64_t classes,
                                           int replicas, uint64_t seed, const Shard& shard)
    : Sampler(static_cast<int64_t>(labels.size()), shard), replicas_(replicas), seed_(seed) {
  check_replicas(replicas);
  check(classes >= 1, "[sampler] needs at least one class, got", classes);
  members_.resize(static_cast<size_t>(classes));
  for (size_t i = 0; i < labels.size(); ++i) {
    check(labels[i] >= 0 && labels[i] < classes, "[sampler] label", labels[i], "of image", i,
          "is outside [0, K), K =", classes);
    members_[static_cast<size_t>(labels[i])].push_back(static_cast<int64_t>(i));
  }
  std::erase_if(members_, [](const std::vector<int64_t>& images) { return images.empty(); });
}

std::vector<SampleItem> ClassBalancedSampler::order(int64_t epoch) const {
  std::vector<std::vector<int64_t>> members = members_;
  for (size_t k = 0; k < members.size(); ++k) {
    Rng rng = stream(seed_, 1 + k, epoch);
    rng.shuffle(std::span(members[k]));
  }
  Rng rng = stream(seed_, 0, epoch);
  std::vector<size_t> classes(members.size()), shown(members.size());
  std::iota(classes.begin(), classes.end(), size_t{0});
  const auto groups = static_cast<size_t>(dataset_size() / replicas_);
  std::vector<int64_t> images;
  for (size_t g = 0; g < groups; ++g) {
    const size_t place = g % classes.size();
    if (place == 0) rng.shuffle(std::span(classes));
    const size_t k = classes[place];
    images.push_back(members[k][shown[k]++ % members[k].size()]);
  }
  return deal_again(even(images, shard()), replicas_, shard());
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
