// All triplets of a batch, the op under losses::triplet_all (kernels/triplet_all.h).
#pragma once

#include "core/tensor.h"
#include "kernels/triplet_all.h"

namespace ditto {

struct TripletSums {
  Tensor loss;    // (n), the sum over the triplets of each anchor
  Tensor active;  // (n), how many of them are not 0; untracked
};

// x (n, d) whose rows of one class lie next to each other; classes i64 (2, n): row i's class is the
// rows [classes[0][i], classes[1][i]), which is not checked.
TripletSums triplet_all_rows(const Tensor& x, const Tensor& classes,
                             const kernels::TripletAll& math);

}  // namespace ditto
