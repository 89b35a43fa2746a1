#include "data/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>

#include "core/rng.h"

namespace ditto::data {
namespace {

// Every image as `replicas` adjacent rows. Where an image comes again, its replica numbers go on.
std::vector<SampleItem> rows_of(std::span<const int64_t> images, int replicas) {
  std::unordered_map<int64_t, int32_t> shown;
  std::vector<SampleItem> rows;
  rows.reserve(images.size() * static_cast<size_t>(replicas));
  for (const int64_t image : images) {
    int32_t& next = shown[image];
    for (int r = 0; r < replicas; ++r, next = (next + 1) % 256)
      rows.push_back({image, image, next});
  }
  return rows;
}

// This rank's share of the epoch `rows`, which ranks take in turn, group by group (of `replicas`
// rows) or row by row. With `even` all ranks get the same number, and the rest is left out.
std::vector<SampleItem> share(std::span<const SampleItem> rows, int replicas, const Shard& shard,
                              Sharding sharding, bool even = true) {
  const auto unit = static_cast<size_t>(sharding == Sharding::Group ? replicas : 1);
  const auto world = static_cast<size_t>(shard.world);
  size_t units = rows.size() / unit;
  if (even) units -= units % world;
  std::vector<SampleItem> mine;
  mine.reserve((units / world + 1) * unit);
  for (auto u = static_cast<size_t>(shard.rank); u < units; u += world)
    for (const SampleItem& item : rows.subspan(u * unit, unit)) mine.push_back(item);
  return mine;
}

// Random numbers of a weighted or class-balanced draw; stream 0 is the permutation's.
Rng stream(uint64_t seed, uint64_t number, int64_t epoch) {
  check(epoch >= 0, "[sampler] negative epoch:", epoch);
  return Rng(seed, Purpose::Shuffle, 1 + number, static_cast<uint64_t>(epoch));
}

void check_replicas(int replicas) {
  check(replicas >= 1 && replicas <= 256, "[sampler] replicas must be in [1, 256], got", replicas);
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
  return share(rows_of(images, 1), 1, shard(), Sharding::Group, /*even=*/false);
}

std::vector<SampleItem> RandomSampler::order(int64_t epoch) const {
  return share(rows_of(permutation(seed_, epoch), 1), 1, shard(), Sharding::Group);
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
  return share(rows_of(shown, replicas_), replicas_, shard(), sharding_);
}

WeightedSampler::WeightedSampler(std::vector<double> weights, uint64_t seed,
                                 const WeightedOptions& options, const Shard& shard,
                                 Sharding sharding)
    : Sampler(static_cast<int64_t>(weights.size()), shard),
      weights_(std::move(weights)),
      seed_(seed),
      options_(options),
      sharding_(sharding) {
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
  return share(rows_of(images, options_.replicas), options_.replicas, shard(), sharding_);
}

ClassBalancedSampler::ClassBalancedSampler(std::span<const int64_t> labels, int64_t classes,
                                           int replicas, uint64_t seed, const Shard& shard,
                                           Sharding sharding)
    : Sampler(static_cast<int64_t>(labels.size()), shard),
      replicas_(replicas),
      seed_(seed),
      sharding_(sharding) {
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
  return share(rows_of(images, replicas_), replicas_, shard(), sharding_);
}

RASampler::RASampler(int64_t n, int repetitions, uint64_t seed, const Shard& shard,
                     Permutation permutation, Sharding sharding)
    : Sampler(n, shard),
      repetitions_(repetitions),
      seed_(seed),
      permutation_(std::move(permutation)),
      sharding_(sharding) {
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
  const size_t rows = images.size() * repetitions;
  // What all ranks together take in one turn.
  const size_t turn =
      static_cast<size_t>(shard().world) * (sharding_ == Sharding::Group ? repetitions : 1);
  const size_t padded = (rows + turn - 1) / turn * turn;
  std::vector<SampleItem> items;
  for (size_t i = 0; i < padded; ++i) {
    const int64_t image = images[i % rows / repetitions];
    // What is added at the end gets replica numbers of its own, hence an augmentation of its own
    // (once more than that only where there are fewer images than ranks).
    const size_t replica = i % repetitions + i / rows * repetitions;
    items.push_back({image, image, static_cast<int32_t>(replica % 256)});
  }
  return share(items, repetitions_, shard(), sharding_);
}

std::vector<SampleItem> RASampler::order(int64_t epoch) const {
  std::vector<SampleItem> items = uncut_order(epoch);
  int64_t rows = dataset_size() / 256 * 256 / shard().world;
  if (sharding_ == Sharding::Group) rows -= rows % repetitions_;
  items.resize(std::min(items.size(), static_cast<size_t>(rows)));
  return items;
}

}  // namespace ditto::data
