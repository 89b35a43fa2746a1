// All triplets of a batch: per anchor a, the sum over its positives p and its negatives n of
// max(0, d(a, p) - d(a, n) + margin), in memory linear in the number of rows.
//
// Distances are made in tiles of anchors (kernels/pair_loss_tiles.h). What a pair of an anchor has
// in the gradient is a whole number times the slope of its distance: of a positive the negatives
// that are nearer than it reaches, d(a, p) + margin, of a negative the positives that reach
// farther. Those numbers depend on the whole row, so the skeleton of the other pair losses, which
// knows the coefficients of both rows of a pair at a time, does not do: here a tile of coefficients
// C of some anchors gives C X to them and C^T to all rows.
#pragma once

#include "core/context.h"
#include "core/view.h"
#include "kernels/pair_loss_triplet.h"

namespace ditto::kernels {

struct TripletAll {
  double margin = 0.2;
  bool squared = false;

  template <class T>
  ROW_FUNCTION T distance(T squared_distance) const {
    return distance_of(squared_distance, squared);
  }
  template <class T>
  ROW_FUNCTION T reach(T positive) const {
    return positive + static_cast<T>(margin);
  }
  // By the squared distance, of a distance.
  template <class T>
  ROW_FUNCTION T slope(T d) const {
    return squared ? T(1) : d > T(0) ? T(0.5) / d : T(0);
  }
};

// x (n, d), f32 or f64, the rows of each class next to each other; classes (2, n) i64: row i's
// class is the rows [classes[0][i], classes[1][i]). loss (n); active (n): how many triplets are not
// 0. A row with a distance that is NaN has the loss NaN.
void triplet_all_forward(CpuContext& ctx, const TripletAll& math, const View& x,
                         const View& classes, const View& loss, const View& active);
// dx (n, d) from g (n), the gradient of each loss.
void triplet_all_backward(CpuContext& ctx, const TripletAll& math, const View& x,
                          const View& classes, const View& g, const View& dx);

void triplet_all_forward(CudaContext& ctx, const TripletAll& math, const View& x,
                         const View& classes, const View& loss, const View& active);
void triplet_all_backward(CudaContext& ctx, const TripletAll& math, const View& x,
                          const View& classes, const View& g, const View& dx);

}  // namespace ditto::kernels
