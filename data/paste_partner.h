// Copy-paste in a pipeline: from which image of the data set a replica gets objects, and which.
//
// Source: detection.md 3.3 (data/copy_paste.h). Partner, its geometry and the chosen objects are
// drawn from (seed, epoch, sample, replica) alone, on a stream of their own: neither workers nor
// ranks nor the other rows of a batch change them, and the replica itself is drawn as without
// copy-paste.
#pragma once

#include "data/copy_paste.h"
#include "data/instance_dataset.h"

namespace ditto::data {

struct ReplicaKey {
  uint64_t seed = 0;
  int64_t epoch = 0, sample = 0;
  int32_t replica = 0;

  Rng rng(Purpose purpose) const;
};

struct PastePartner {
  int64_t sample;       // of the data set; its pixels are pasted
  Transform transform;  // of the whole partner, onto the replica's canvas
  Paste paste;
};

// A partner for the replica `key`, whose canvas shows `instances`: any other image, equally likely,
// through a draw of `policy`. A canvas of another size is cut, or filled up, at its right and lower
// edge. Nothing where the draw says so, or where the partner has no object that survives. Throws as
// draw_paste does.
std::optional<PastePartner> draw_partner(const InstanceDataset& dataset, const Augment& policy,
                                         const PasteOptions& options, const ReplicaKey& key,
                                         const ImageInfo& canvas, const Instances& instances,
                                         const SurvivalRules& rules = {});

// The pixels of a replica: `image` (H, W, C), u8 or f32, through `transform` into `canvas` (h, w,
// C) f32, with the partner's objects and then `colours` on top, where those are given. All tensors
// are on one device.
struct ReplicaParts {
  const Transform& transform;
  const Tensor& image;
  const Transform* colours = nullptr;
  const PastePartner* partner = nullptr;
  Tensor partner_image = {}, weights = {};  // paste_weights of its mask
};
void render_replica(const ReplicaParts& parts, const Tensor& canvas);

}  // namespace ditto::data
