// Pairing: which boxes of an image's replicas show the same object (LossTransform on detectors,
// paper 000, Eq. 5 and 6 as read in detection.md 3.4 to 3.7).
//
// Boxes are x0 y0 x1 y1 in the frame of the original image, where kernels/map_back.h brings them.
// Two boxes are compared inside the part of the image that both replicas show. Pairing is greedy
// and one to one: the most similar pair first (of equal ones that with the smallest first index,
// then the smallest second), until none reaches the threshold.
#pragma once

#include <cstdint>

#include "core/context.h"
#include "core/view.h"

namespace ditto::kernels {

enum class Similarity : unsigned char {
  Iou,      // intersection over union; free of scale
  Distance  // |(cx, cy, h, w) - (cx', cy', h', w')| / sqrt(area of the first box), small is similar
};

struct PairingOptions {
  Similarity similarity = Similarity::Iou;
  double threshold = 0.5;  // the least IoU, in (0, 1], or the largest distance, above 0
  // Pairs only boxes with equal labels. (By default a difference in class is what the loss shall
  // remove.)
  bool same_label = false;
  // Where above 0: replicas are paired only if the ratio of the areas of all their boxes, the
  // smaller by the larger, is at least this. The paper's test of a common origin, which the
  // loader's group ids make unneeded.
  double min_area_ratio = 0;
};

// The boxes of some replicas; absent views are default constructed.
struct PairingBoxes {
  View boxes;    // (B, N, 4) f32 or f64
  View counts;   // (B) i32: boxes in use, the first ones; absent: all
  View labels;   // (B, N) i64; needed for same_label alone
  View visible;  // (B, 4), the dtype of boxes: the part of the image that the replica shows;
                 // absent: everything
};

// Eq. 6 for two replicas, and Eq. 5 with the annotations as `a` and predictions as `b`: match (B,
// N) i32 becomes the index in b of each box of a, or -1. Boxes that are empty or not finite are
// never paired. Throws "[pairing] ..." on bad shapes and options.
void pair_boxes(CpuContext& ctx, const PairingBoxes& a, const PairingBoxes& b,
                const PairingOptions& options, const View& match);
void pair_boxes(CudaContext& ctx, const PairingBoxes& a, const PairingBoxes& b,
                const PairingOptions& options, const View& match);

// Star alignment of m replicas per image, for any m: the boxes of the first replica open clusters;
// those of each further one are paired with the clusters' mean boxes, one to one, and what is left
// opens clusters of its own. So a cluster has at most one box of each replica and every member sees
// the same cluster. A mean box is compared inside what all its replicas and the next one show.
// Areas (min_area_ratio) are compared with those of the first replica that has a box.
// Of `replicas` the boxes are (B x m, N, 4), the replicas of an image one after another, and so for
// counts (B x m), labels and visible. cluster (B x m, N) i32 becomes the number of each box's
// cluster in its image, -1 beyond the count; clusters (B) i32 their number.
void align_star(CpuContext& ctx, const PairingBoxes& replicas, int64_t m,
                const PairingOptions& options, const View& cluster, const View& clusters);
void align_star(CudaContext& ctx, const PairingBoxes& replicas, int64_t m,
                const PairingOptions& options, const View& cluster, const View& clusters);

}  // namespace ditto::kernels
