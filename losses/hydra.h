// Hydra's gated pairs (SimLAP): for a pair of classes a gate picks the features in which samples of
// the two are positives of each other.
//
//   L = mean over pairs (i, j) of [ log(exp(l_ij) + sum_N exp(l_in)) - l_ij ],
//   l = cosine of the gated embeddings / tau
//
// N are the rows of all other classes: both classes of the pair are left out. Source: paper 001,
// entry 20, and its code, which also trains a classifier on detached features (cross_entropy).
#pragma once

#include "losses/anchors.h"
#include "nn/linear.h"

namespace ditto::losses {

struct HydraOptions {
  double temperature = 0.1;
  double scale = 1;
};

// z (n, d), labels i64 (n), gates (g, d), one row for each of the g pairs of classes (equal classes
// are allowed). Mean over the gates of which the batch has a pair; `valid` counts them. Reads the
// labels on the host.
PairLoss hydra(const Tensor& z, const Tensor& labels, const Tensor& gates,
               const std::vector<std::pair<int64_t, int64_t>>& classes,
               const HydraOptions& options = {});

// sigmoid(W2 relu(W1 (e_a + e_b) / 2)) of learned label embeddings e: gates for hydra().
class HydraGate : public nn::Module {
 public:
  HydraGate(int64_t classes, int64_t label_features, int64_t hidden, int64_t features);
  // (pairs, features)
  Tensor operator()(const std::vector<std::pair<int64_t, int64_t>>& classes);

 private:
  Tensor& labels_;
  nn::Linear& hidden_;
  nn::Linear& gate_;
};

}  // namespace ditto::losses
