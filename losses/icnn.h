// ICNN loss: how clean the neighbourhoods of a batch are, by class and by distance.
//
//   L = -log((Lambda + gamma) / 2),  Lambda = (same + different) / 2
//
// same: 1 - mean distance to neighbours of the own class, in units of the nearest neighbour of
// another class, rows divided by their maximum where that is above 1; different: mean distance to
// neighbours of other classes, divided by the largest; gamma: share of the own class among the k
// neighbours. Distances are sqrt(|x - y|^2 + 1e-6). Which rows are neighbours, gamma and the counts
// are constants of the backward pass. Source: paper 001, entry 26 (SuSana), and its code, small
// numbers included. Memory grows with n k.
#pragma once

#include "losses/anchors.h"

namespace ditto::losses {

struct IcnnOptions {
  int64_t k = 4;  // neighbours; at most n - 2 are used
  bool normalize = false;
};

struct IcnnScore {
  Tensor loss;             // a scalar
  Tensor same, different;  // scalars, parts of Lambda
  double gamma = 0;
};

// x (n, d), labels i64 (n); n >= 3, else the loss is 0.
IcnnScore icnn(const Tensor& x, const Tensor& labels, const IcnnOptions& options = {});

}  // namespace ditto::losses
