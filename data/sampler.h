// Samplers: which image comes when in an epoch, and as which replica.
//
// A sampler is a pure function of its options and the epoch number, so that workers, ranks and
// resumed runs agree without talking to each other. With several ranks, the epoch of one rank is
// dealt out in turn, by whole groups or by rows (Sharding): rank r gets numbers r, r + world,
// r + 2 world, ... What cannot be shared evenly at the end is left out (SequentialSampler gives it
// to the first ranks, RASampler adds to it), and replica numbers are those of one rank.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"

namespace ditto::data {

// One row of a batch.
struct SampleItem {
  int64_t sample = 0;   // index in the data set
  int64_t group = 0;    // source id: rows with the same group show the same image
  int32_t replica = 0;  // 0, 1, ... within the group, below 256; keys the row's random numbers

  friend bool operator==(const SampleItem&, const SampleItem&) = default;
};

// The rows that show each image, images in the order of their first rows.
std::vector<std::vector<size_t>> rows_by_sample(std::span<const SampleItem> items);

// One of `world` processes that share an epoch.
struct Shard {
  int rank = 0;
  int world = 1;
};

// What ranks share out. Group: whole groups, so that LossTransform finds all replicas of an image
// on one rank. Spread: rows, so that the replicas of an image go to different ranks, as with
// torchvision's and DeiT's RASampler; groups then shrink, to single rows when world >= replicas,
// where T(L) = L. Without replicas (SequentialSampler, RandomSampler) they are the same.
enum class Sharding { Group, Spread };
Sharding sharding(const std::string& name);  // "group", "spread"

class Sampler {
 public:
  // Throws "[sampler] ..." unless 0 <= rank < world and n >= 0.
  Sampler(int64_t n, const Shard& shard);
  virtual ~Sampler() = default;
  // The rows of this rank in epoch `epoch` >= 0. Replicas of an image are adjacent.
  virtual std::vector<SampleItem> order(int64_t epoch) const = 0;

  int64_t dataset_size() const { return n_; }
  const Shard& shard() const { return shard_; }

 protected:
  // A permutation of 0 ... n-1 that depends on seed and epoch alone.
  std::vector<int64_t> permutation(uint64_t seed, int64_t epoch) const;

 private:
  int64_t n_;
  Shard shard_;
};

// 0, 1, ..., n-1. Nothing is dropped: with several ranks the first n % world have one row more.
class SequentialSampler : public Sampler {
 public:
  explicit SequentialSampler(int64_t n, const Shard& shard = {}) : Sampler(n, shard) {}
  std::vector<SampleItem> order(int64_t epoch) const override;
};

// A new permutation every epoch. With several ranks the last n % world images of the permutation
// are left out, so that all ranks take the same number of steps.
class RandomSampler : public Sampler {
 public:
  RandomSampler(int64_t n, uint64_t seed, const Shard& shard = {})
      : Sampler(n, shard), seed_(seed) {}
  std::vector<SampleItem> order(int64_t epoch) const override;

 private:
  uint64_t seed_;
};

// Repeated augmentation in groups: every image that is drawn appears as `replicas` adjacent rows,
// so a batch of b rows holds b / replicas groups. That is LossTransform-v1 (paper 000, section 4.2;
// losses.md 2.5): as many rows per step, and as many steps per epoch, as without replicas. With
// `full_pass` and batches of b x replicas rows it is the plain LossTransform.
//
// An epoch counts rows ("images seen"): it has n / replicas groups, hence at most n rows, and
// `replicas` epochs walk once through a permutation (less the last n % replicas images). With
// `full_pass` an epoch shows all n images, that is n x replicas rows.
class GroupedSampler : public Sampler {
 public:
  // 1 <= replicas <= 256; throws otherwise.
  GroupedSampler(int64_t n, int replicas, uint64_t seed, bool full_pass = false,
                 const Shard& shard = {}, Sharding sharding = Sharding::Group);
  std::vector<SampleItem> order(int64_t epoch) const override;
  int replicas() const { return replicas_; }

 private:
  int replicas_;
  uint64_t seed_;
  bool full_pass_;
  Sharding sharding_;
};

struct WeightedOptions {
  int replicas = 1;  // adjacent rows per draw
  // An image may be drawn several times in an epoch. Otherwise at most once: images are drawn one
  // after the other, each with a chance in proportion to its weight among those that are left.
  bool replacement = true;
  int64_t groups = 0;  // draws per epoch; 0: n / replicas
};

// Images drawn in proportion to their weights. An image that is drawn again in an epoch gets new
// replica numbers, hence other augmentations (which repeat after 256 rows of it).
//
// Source of the draw without replacement: Efraimidis and Spirakis, "Weighted random sampling with a
// reservoir", 2006: the images with the smallest -log(u) / w.
class WeightedSampler : public Sampler {
 public:
  // One weight per image, finite and not negative, not all 0. Throws "[sampler] ..." otherwise, and
  // when fewer images than draws without replacement have a weight.
  WeightedSampler(std::vector<double> weights, uint64_t seed, const WeightedOptions& options = {},
                  const Shard& shard = {}, Sharding sharding = Sharding::Group);
  std::vector<SampleItem> order(int64_t epoch) const override;

 private:
  std::vector<int64_t> with_replacement(int64_t epoch) const;
  std::vector<int64_t> without_replacement(int64_t epoch) const;

  std::vector<double> weights_, sums_;  // sums_[i]: of the weights up to i
  uint64_t seed_;
  WeightedOptions options_;
  Sharding sharding_;
  int64_t groups_;
};

// Every class equally often, however many images it has: rounds of all classes in random order;
// within an epoch a class shows all its images, in random order, before it shows one again. Classes
// without images are passed over. An epoch has n / replicas groups.
class ClassBalancedSampler : public Sampler {
 public:
  // Labels in [0, classes). Throws "[sampler] ..." otherwise.
  ClassBalancedSampler(std::span<const int64_t> labels, int64_t classes, int replicas,
                       uint64_t seed, const Shard& shard = {}, Sharding sharding = Sharding::Group);
  std::vector<SampleItem> order(int64_t epoch) const override;

 private:
  std::vector<std::vector<int64_t>> members_;  // of each class that has some
  int replicas_;
  uint64_t seed_;
  Sharding sharding_;
};

// Repeated augmentation in the order of DeiT and of torchvision's reference scripts (class
// RASampler there), for comparisons with runs of theirs: every image of a permutation stands
// `repetitions` times in a row, the list is continued from its beginning to a multiple of `world`,
// rank r takes every world-th entry from r on, and of those the first floor(floor(n / 256) * 256 /
// world). So an epoch has about n rows and shows about n / repetitions images, and none at all
// when n < 256.
//
// With world = 1 the replicas of an image are adjacent, and LossTransform works on them. With
// world >= repetitions each rank sees an image once: groups are single rows, and T(L) = L there.
// Sharding::Group, which theirs does not have, deals out the groups of the same list instead: it
// is continued to a multiple of `world` groups, and a rank's part ends with its last whole group
// below the same number of rows. The framework's own way is GroupedSampler.
class RASampler : public Sampler {
 public:
  // The permutation of epoch e. theirs is torch.randperm after seeding with seed + e (DeiT: e);
  // torch's generator is not rebuilt here, so by default the order is ours, and the rule theirs.
  using Permutation = std::function<std::vector<int64_t>(int64_t epoch)>;
  // 1 <= repetitions <= 128; throws otherwise.
  RASampler(int64_t n, int repetitions, uint64_t seed, const Shard& shard = {},
            Permutation permutation = {}, Sharding sharding = Sharding::Spread);
  std::vector<SampleItem> order(int64_t epoch) const override;

  // This rank's list before the cut.
  std::vector<SampleItem> uncut_order(int64_t epoch) const;

 private:
  int repetitions_;
  uint64_t seed_;
  Permutation permutation_;
  Sharding sharding_;
};

}  // namespace ditto::data
