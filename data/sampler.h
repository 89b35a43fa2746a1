// Samplers: which image comes when in an epoch, and as which replica.
//
// A sampler is a pure function of its options and the epoch number, so that workers, ranks and
// resumed runs agree without talking to each other. With several ranks, whole groups are dealt out
// in turn: rank r gets groups r, r + world, r + 2 world, ...
#pragma once

#include <cstdint>
#include <functional>
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

// One of `world` processes that share an epoch.
struct Shard {
  int rank = 0;
  int world = 1;
};

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
// so a batch of b rows holds b / replicas groups.
//
// An epoch counts rows ("images seen"): it has n / replicas groups, hence at most n rows, and
// `replicas` epochs walk once through a permutation (less the last n % replicas images). With
// `full_pass` an epoch shows all n images, that is n x replicas rows.
class GroupedSampler : public Sampler {
 public:
  // 1 <= replicas <= 256; throws otherwise.
  GroupedSampler(int64_t n, int replicas, uint64_t seed, bool full_pass = false,
                 const Shard& shard = {});
  std::vector<SampleItem> order(int64_t epoch) const override;
  int replicas() const { return replicas_; }

 private:
  int replicas_;
  uint64_t seed_;
  bool full_pass_;
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
// The framework's own way is GroupedSampler.
class RASampler : public Sampler {
 public:
  // The permutation of epoch e. theirs is torch.randperm after seeding with seed + e (DeiT: e);
  // torch's generator is not rebuilt here, so by default the order is ours, and the rule theirs.
  using Permutation = std::function<std::vector<int64_t>(int64_t epoch)>;
  // 1 <= repetitions <= 128; throws otherwise.
  RASampler(int64_t n, int repetitions, uint64_t seed, const Shard& shard = {},
            Permutation permutation = {});
  std::vector<SampleItem> order(int64_t epoch) const override;

  // This rank's list before the cut.
  std::vector<SampleItem> uncut_order(int64_t epoch) const;

 private:
  int repetitions_;
  uint64_t seed_;
  Permutation permutation_;
};

}  // namespace ditto::data
