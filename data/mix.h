// Mixing of whole batches: CutMix and mixup, for plain batches and for batches with several
// replicas per image.
//
// Sources: Yun et al., "CutMix", ICCV 2019; Zhang et al., "mixup", ICLR 2018. lambda ~ Beta(a, a)
// is the weight of a row's own label. The CutMix box has sides W sqrt(1 - lambda), H sqrt(1 -
// lambda), rounded; it lies inside the image (the paper clips it instead, which changes the area),
// and lambda then becomes exactly the part of the image that is kept.
//
// How mixing meets the groups of LossTransform (rows with the same group id are replicas of one
// image):
//   PerGroup   (D2) the partner group, the kind, lambda and the size of the box are drawn once per
//              group, so that all replicas carry the same soft label; every replica has its own box
//              position, and row r of a group is mixed with row r of the partner group.
//   PerReplica (D1) every row draws everything for itself.
// D3 (cross-entropy against the group's mean label) and D4 (weighted pairs) change the loss, not
// the images: they use PerReplica.
#pragma once

#include <span>
#include <vector>

#include "core/rng.h"
#include "kernels/mix.h"

namespace ditto::data {

enum class MixMode { PerGroup, PerReplica };

struct MixOptions {
  double cutmix_alpha = 0;  // 0: no CutMix
  double mixup_alpha = 0;   // 0: no mixup; with both, each is drawn half of the time
  double probability = 1;   // that a group (or row) is mixed at all
  MixMode mode = MixMode::PerGroup;

  bool enabled() const { return cutmix_alpha > 0 || mixup_alpha > 0; }
};

// Throws "[mix] ..." when an option is out of range.
void check_options(const MixOptions& options);

// One record per row of a batch of width x height images with these group ids. Partners form one
// random cycle: every group (or row) gets exactly one partner other than itself. With a single
// group (or row) nothing is mixed.
std::vector<kernels::MixRow> draw_mix(const MixOptions& options, Rng& rng,
                                      std::span<const int64_t> groups, int width, int height);

}  // namespace ditto::data
