// InstanceLoader: batches of images with their objects, made ahead of time by worker threads.
//
// As with DataLoader (data/loader.h), what a replica looks like depends on (seed, epoch, sample,
// replica) alone: not on workers, ranks, or its neighbours in the batch, which only decide how much
// padding stands beside it. With a fixed canvas whole batches are the same, too.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "data/batch_queue.h"
#include "data/instance_dataset.h"

namespace ditto::data {

struct InstanceBatch {
  int64_t epoch = 0;
  int64_t index = 0;
  Tensor images;                     // (B, H, W, C) f32; H and W hold the largest row
  std::vector<Instances> instances;  // per row, in the frame of `images`
  // Per row: the whole chain with the padding, which is what `visible` leaves out.
  std::vector<Frame> frames;
  std::vector<int64_t> samples;   // index in the data set, per row
  std::vector<int64_t> groups;    // source id, per row
  std::vector<int32_t> replicas;  // per row

  int64_t size() const { return static_cast<int64_t>(samples.size()); }
};

struct InstanceLoaderOptions {
  int64_t batch = 2;  // rows
  bool drop_last = false;
  int workers = 1;   // threads; 0: next() makes the batch itself, with the caller's threads
  int prefetch = 0;  // batches made ahead; 0: two per worker
  uint64_t seed = 0;
  bool pinned = false;  // batches in pinned memory
  // Sides of the batch are multiples of `divisor` (up to 65536): the next ones of the largest
  // image, or always of width x height (0: as large as it takes). Images lie in the upper left
  // corner; the rest is the fill colour.
  int divisor = 32;
  int width = 0, height = 0;
  SurvivalRules survival = {};
  NegativeRules negative = {};
};

class InstanceLoader {
 public:
  // Replicas are drawn from `augment`, and from `fallback` (which should crop nothing) where
  // `augment` loses all objects time and again (draw_with_instances). Throws "[loader] ..." as
  // DataLoader does.
  InstanceLoader(InstanceDataset dataset, std::shared_ptr<const Sampler> sampler,
                 std::shared_ptr<const Augment> augment, std::shared_ptr<const Augment> fallback,
                 const InstanceLoaderOptions& options);
  ~InstanceLoader();
  InstanceLoader(const InstanceLoader&) = delete;
  InstanceLoader& operator=(const InstanceLoader&) = delete;

  // The next batch, or nothing at the end of the epoch; errors as with DataLoader. An image that
  // cannot be read and is to be left out leaves out its rows.
  std::optional<InstanceBatch> next();
  int64_t batches();
  LoaderPosition position() const;
  void seek(const LoaderPosition& position);
  const InstanceDataset& dataset() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace ditto::data
