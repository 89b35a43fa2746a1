// Triplet losses: an anchor's positives shall be nearer than its negatives by a margin.
//
//   hard:  max(0, max_P d(a, p) - min_N d(a, n) + m) for every anchor
//   all:   max(0, d(a, p) - d(a, n) + m) for every triplet
//   proto: the hard form with class means as keys: own prototype against the nearest other one
//
// d is the Euclidean distance or its square. Where two points coincide d has gradient 0. Source:
// Schroff et al. 2015 (all, margin 0.2), Hermans et al. 2017 (hard); the paper behind Proto-Triplet
// (SuSana) gives no formula, so that one is a definition of this project.
#pragma once

#include "losses/anchors.h"

namespace ditto::losses {

struct TripletOptions {
  double margin = 0.2;
  bool squared = false;
  PairOptions common = {};
};

// z (n, d); labels i64 (n) or multi-hot (n, K). Which positive and negative are the hardest is a
// constant of the backward pass. Anchors need a positive and a negative.
PairLoss triplet_hard(const Tensor& z, const Tensor& labels, const TripletOptions& options = {});

struct TripletAllOptions {
  double margin = 0.2;
  bool squared = false;
  bool over_active = false;  // the mean is over the triplets that are not 0, else over all
  PairOptions common = {};   // Mean or Sum; no_positive makes no difference to a mean over triplets
};

// z (n, d), labels i64 (n), which are read on the host (waits for a device). Memory is linear in n;
// time grows with n^2 (d + log n), on CUDA with n^2 d and the number of triplets. `valid` counts
// anchors.
PairLoss triplet_all(const Tensor& z, const Tensor& labels, const TripletAllOptions& options = {});

struct ProtoTripletOptions {
  double margin = 0.5;
  bool squared = false;
  PairOptions common = {.normalize = false};
};

// support (s, d) and query (q, d) with labels i64 (s) and (q). A prototype is the mean of a class's
// support. Queries of a class without support are not valid.
PairLoss proto_triplet(const Tensor& support, const Tensor& support_labels, const Tensor& query,
                       const Tensor& query_labels, const ProtoTripletOptions& options = {});

}  // namespace ditto::losses
