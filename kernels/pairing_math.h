// Similarity of two boxes, written once for both devices, and what both check (kernels/pairing.h).
//
// Which pairs are taken depends on the order of the ranks to the last bit, and equal boxes that
// were moved have nearly equal ranks. So no product here may be fused into a sum by one compiler
// and not by the other (core/rounded_product.h); quotients, roots and sums are rounded alike
// everywhere.
#pragma once

#include <cmath>

#include "core/frame.h"
#include "core/host_device.h"
#include "core/rounded_product.h"
#include "kernels/pairing.h"

namespace ditto::kernels {

void check_pairing(const PairingBoxes& boxes, const PairingOptions& options);
void check_pair_boxes(const PairingBoxes& a, const PairingBoxes& b, const PairingOptions& options,
                      const View& match);
void check_align_star(const PairingBoxes& replicas, int64_t m, const PairingOptions& options,
                      const View& cluster, const View& clusters);

HD double least(double a, double b) { return b < a ? b : a; }
HD double most(double a, double b) { return a < b ? b : a; }
HD Rect common(const Rect& a, const Rect& b) {
  return {most(a.x0, b.x0), most(a.y0, b.y0), least(a.x1, b.x1), least(a.y1, b.y1)};
}
// 0 for boxes that are empty, NaN or infinite.
HD double box_area(const Rect& r) {
  const double w = r.x1 - r.x0, h = r.y1 - r.y0, area = rounded_product(w, h);
  return w > 0 && h > 0 && w < HUGE_VAL && h < HUGE_VAL ? area : 0.0;
}

// A box, what of the image its replica shows, and its class.
struct PairingBox {
  Rect box, visible;
  int64_t label;
};

// The rank of a pair: the larger the more similar; -HUGE_VAL when the two may not be paired.
HD double pair_rank(const PairingBox& a, const PairingBox& b, const PairingOptions& options) {
  if (options.same_label && a.label != b.label) return -HUGE_VAL;
  const Rect shown = common(a.visible, b.visible);
  const Rect p = common(a.box, shown), q = common(b.box, shown);
  const double area_p = box_area(p), area_q = box_area(q);
  if (!(area_p > 0 && area_q > 0)) return -HUGE_VAL;
  if (options.similarity == Similarity::Iou) {
    const double both = box_area(common(p, q)), iou = both / (area_p + area_q - both);
    return iou >= options.threshold ? iou : -HUGE_VAL;
  }
  const double dx = 0.5 * (p.x0 + p.x1 - q.x0 - q.x1), dy = 0.5 * (p.y0 + p.y1 - q.y0 - q.y1);
  const double dw = p.x1 - p.x0 - q.x1 + q.x0, dh = p.y1 - p.y0 - q.y1 + q.y0;
  const double square =
      std::fma(dh, dh, std::fma(dw, dw, std::fma(dy, dy, rounded_product(dx, dx))));
  const double distance = std::sqrt(square / area_p);
  return distance <= options.threshold ? -distance : -HUGE_VAL;
}

// Whether the areas of all boxes of two replicas allow them to be paired.
HD bool areas_agree(double a, double b, const PairingOptions& options) {
  return !(options.min_area_ratio > 0) ||
         least(a, b) >= rounded_product(options.min_area_ratio, most(a, b));
}

// Views as plain pointers; T is the dtype of the boxes.
template <class T>
struct PairingTable {
  const T* boxes;
  const int32_t* counts;
  const int64_t* labels;
  const T* visible;
  int64_t capacity;  // boxes per replica

  explicit PairingTable(const PairingBoxes& from)
      : boxes(from.boxes.as<T>()),
        counts(from.counts.data ? from.counts.as<int32_t>() : nullptr),
        labels(from.labels.data ? from.labels.as<int64_t>() : nullptr),
        visible(from.visible.data ? from.visible.as<T>() : nullptr),
        capacity(from.boxes.shape[1]) {}

  // A count beyond the capacity is the capacity, below 0 is 0.
  HD int64_t count(int64_t replica) const {
    if (counts == nullptr) return capacity;
    const int64_t n = counts[replica];
    return n < 0 ? 0 : n > capacity ? capacity : n;
  }
  HD static Rect rect(const T* at) {
    return {static_cast<double>(at[0]), static_cast<double>(at[1]), static_cast<double>(at[2]),
            static_cast<double>(at[3])};
  }
  HD PairingBox get(int64_t replica, int64_t i) const {
    const int64_t at = replica * capacity + i;
    return {rect(boxes + 4 * at),
            visible == nullptr ? Rect{-HUGE_VAL, -HUGE_VAL, HUGE_VAL, HUGE_VAL}
                               : rect(visible + 4 * replica),
            labels == nullptr ? 0 : labels[at]};
  }
  HD double area(int64_t replica) const {
    double sum = 0;
    for (int64_t i = 0; i < count(replica); ++i)
      sum += box_area(rect(boxes + 4 * (replica * capacity + i)));
    return sum;
  }
};

// A cluster of star alignment: the mean of its boxes, what all its replicas show, the class of its
// first box.
struct PairingCluster {
  Rect sum, visible;
  int64_t label;
  int32_t members;

  HD static PairingCluster open(const PairingBox& box) {
    return {box.box, box.visible, box.label, 1};
  }
  HD void add(const PairingBox& box) {
    sum = {sum.x0 + box.box.x0, sum.y0 + box.box.y0, sum.x1 + box.box.x1, sum.y1 + box.box.y1};
    visible = common(visible, box.visible);
    ++members;
  }
  HD PairingBox mean() const {
    const auto n = static_cast<double>(members);
    return {{sum.x0 / n, sum.y0 / n, sum.x1 / n, sum.y1 / n}, visible, label};
  }
};

}  // namespace ditto::kernels
