// InstanceLoader: batches of images with their objects, made ahead of time by worker threads.
//
// As with DataLoader (data/loader.h), what a replica looks like depends on (seed, epoch, sample,
// replica) alone: not on workers, ranks, or its neighbours in the batch, which only decide how much
// padding stands beside it. With a fixed canvas whole batches are the same, too. The same holds for
// what copy-paste puts on it (data/paste_partner.h).
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "data/batch_queue.h"
#include "data/copy_paste.h"
#include "data/instance_dataset.h"

namespace ditto::data {

// What copy-paste put on a row.
struct PastedRow {
  int64_t sample = -1;  // the image in the data set that it came from; -1: nothing was pasted
  // That image's whole chain, with the padding: the record by which its objects go back to it. The
  // row's own frame is not theirs.
  Frame frame;
  std::vector<uint8_t> pasted;  // per instance of the row: 1 when it came from there
};

struct InstanceBatch {
  int64_t epoch = 0;
  int64_t index = 0;
  Tensor images;                     // (B, H, W, C) f32 on options.device; H and W hold the largest
  std::vector<Instances> instances;  // per row, in the frame of `images`
  // Per row: the whole chain with the padding, which is what `visible` leaves out.
  std::vector<Frame> frames;
  std::vector<int64_t> samples;   // index in the data set, per row
  std::vector<int64_t> groups;    // source id, per row
  std::vector<int32_t> replicas;  // per row
  std::vector<PastedRow> pasted;  // per row

  int64_t size() const { return static_cast<int64_t>(samples.size()); }
  // Of the image that instance k of row r belongs to: the row's own, or that of a pasted object.
  const Frame& frame_of(size_t r, size_t k) const {
    return pasted[r].sample >= 0 && pasted[r].pasted[k] ? pasted[r].frame : frames[r];
  }
};

struct InstanceLoaderOptions {
  int64_t batch = 2;  // rows
  bool drop_last = false;
  int workers = 1;   // threads; 0: next() makes the batch itself, with the caller's threads
  int prefetch = 0;  // batches made ahead; 0: two per worker
  uint64_t seed = 0;
  // Where pixels are made. The workers decode and draw, and pack the decoded u8 images of a batch
  // into pinned memory; for a CUDA device next() sends them by one copy, begins that of the batch
  // after if it is made already, and starts the transforms. It does not wait. Pixels differ from
  // the CPU's by roundings.
  Device device = kCpu;
  bool pinned = false;  // on the CPU: `images` are in pinned memory
  // Sides of the batch are multiples of `divisor` (up to 65536): the next ones of the largest
  // image, or always of width x height (0: as large as it takes). Images lie in the upper left
  // corner; the rest is the fill colour.
  int divisor = 32;
  int width = 0, height = 0;
  SurvivalRules survival = {};
  NegativeRules negative = {};
  // Copy-paste of objects from other images; the data set must have masks then. A partner that
  // cannot be read and is to be left out leaves the row as it was without pasting.
  PasteOptions paste = {.probability = 0};
  // Drawn after `augment` or the fallback, and applied after pasting, so that pasted objects change
  // with the image around them: colours, normalisation. May not move, cut or erase. Colours in
  // `augment` itself are drawn for each of the two images.
  std::shared_ptr<const Augment> colours = {};
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
