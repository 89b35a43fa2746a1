// CutMix and mixup of annotated images (data/mix.h mixes their pixels and classes): what becomes of
// their objects and class maps.
//
// CutMix as in Yun et al., ICCV 2019: inside the box there is the partner alone, objects and all.
// Mixup of objects as in Zhang et al., "Bag of freebies for training object detection neural
// networks", 2019: those of both images, each with the weight of its image.
//
// The way back: an object of the row goes by the row's own frame, one of the partner's by the
// partner's, like the pixels of the box. Mixed pixels do not come back (lost()).
#pragma once

#include "data/instances.h"
#include "kernels/mix.h"

namespace ditto::data {

struct MixedInstances {
  Instances instances;           // the row's own, then the partner's
  std::vector<uint8_t> partner;  // per instance: 1 for the partner's
  // Per instance, for its losses: 1, or after mixup its image's part of the pixels.
  std::vector<double> weights;
};

// `own` and `partner` lie on canvases of width x height. CutMix: what the box hides of the row's
// objects, and what lies outside it of the partner's, is no longer seen: masks lose those pixels,
// boxes become tight around the rest, visibility falls in proportion and the rules decide; points
// stay. Boxes without masks count as full. Throws "[mix_instances] ..." on a box outside the
// canvas, a keep outside [0, 1] or an id that both images have (mix groups, not replicas of one
// image).
MixedInstances mix_instances(const kernels::MixRow& row, const Instances& own,
                             const Instances& partner, int width, int height,
                             const SurvivalRules& rules = {});

// Class maps or dense masks, (H, W) u8 or i64: `own` with the box from `partner`. After mixup a
// pixel has two classes, with the weights keep and 1 - keep: throws "[mix_label_maps] ...", as it
// does when sizes or dtypes differ.
Tensor mix_label_maps(const kernels::MixRow& row, const Tensor& own, const Tensor& partner);

// Of a row's own pixels: covered by CutMix, changed by mixup.
Lost lost(const kernels::MixRow& row);

}  // namespace ditto::data
