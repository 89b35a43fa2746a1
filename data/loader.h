// DataLoader: batches in the sampler's order, made ahead of time by worker threads.
//
// What a batch contains depends on the seeds, the epoch and the batch's number alone: random
// numbers are keyed by (seed, epoch, sample, replica) for the augmentation and by (seed, epoch,
// batch) for the mixing. It is the same, bit for bit, for any number of workers, and after seek().
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/frame.h"
#include "data/batch_queue.h"
#include "data/dataset.h"
#include "data/mix.h"
#include "data/sampler.h"
#include "data/transform.h"

namespace ditto::data {

struct Batch {
  int64_t epoch = 0;
  int64_t index = 0;              // number of the batch in its epoch
  Tensor images;                  // (B, H, W, C) f32, where they were augmented
  Tensor labels;                  // (B) i64
  Tensor targets;                 // (B, K) f32 soft labels; undefined when the loader does not mix
  std::vector<int64_t> samples;   // index in the data set, per row
  std::vector<int64_t> groups;    // source id, per row
  std::vector<int32_t> replicas;  // per row
  std::vector<Frame> frames;      // where the row's own image went, per row
  std::vector<kernels::MixRow> mix;  // per row; empty when the loader does not mix

  int64_t size() const { return static_cast<int64_t>(samples.size()); }
};

struct LoaderOptions {
  int64_t batch = 128;     // rows
  bool drop_last = false;  // leave out a last batch with fewer rows
  int workers = 1;         // threads; 0: next() makes the batch itself, with the caller's threads
  int prefetch = 0;        // batches made ahead; 0: two per worker
  uint64_t seed = 0;
  MixOptions mix = {};
  // Where images are augmented and mixed. A data set in memory is brought to a CUDA device once, as
  // u8, if it takes at most `device_limit` bytes there; the workers then draw transforms only, and
  // next() starts the device on the pixels, which differ from the CPU's by roundings. Otherwise
  // batches are made on the CPU, and note() says why.
  Device device = kCpu;
  int64_t device_limit = std::numeric_limits<int64_t>::max();
  // Images that are made on the CPU go into pinned memory, from where a CUDA device copies fast
  // (plain memory where there is no such device).
  bool pinned = false;
};

class DataLoader {
 public:
  // Throws "[loader] ..." on options out of range or a sampler for another number of images. The
  // workers read what is not in memory. The augmentation must then give every image the data set's
  // height() x width(); an image that cannot be read and is to be left out leaves out its row (all
  // rows, where it has replicas), so that a batch may be smaller. A batch of which nothing is left
  // is passed over.
  DataLoader(ImageDataset dataset, std::shared_ptr<const Sampler> sampler,
             std::shared_ptr<const Augment> augment, const LoaderOptions& options);
  ~DataLoader();
  DataLoader(const DataLoader&) = delete;
  DataLoader& operator=(const DataLoader&) = delete;

  // The next batch, or nothing at the end of the epoch; the call after that starts the next epoch.
  // An exception in a worker is thrown here, when its batch is due; a further call tries that batch
  // again. Throws when an epoch has no batch at all. One thread may call this.
  std::optional<Batch> next();

  // Batches of the current epoch.
  int64_t batches();
  LoaderPosition position() const;
  // Continues at this batch; what was made ahead is thrown away. Throws when an index is negative
  // or the epoch has fewer batches.
  void seek(const LoaderPosition& position);

  // Why images are not augmented on the device that was asked for; empty when they are.
  const std::string& note() const;
  const LoaderOptions& options() const;
  const ImageDataset& dataset() const;

 private:
  class State;  // shared with the workers
  std::unique_ptr<State> state_;
};

}  // namespace ditto::data
