// A training batch as losses by name want it: views one after another, episodes, pairs of classes.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "losses/anchors.h"
#include "losses/step_context.h"
#include "losses/triplet.h"

namespace ditto::losses {

// Losses of whole views want all samples of one view, then all of the next: rows in that order, and
// the number of views. z (n, d); samples (n) i64, read on the host. Throws "[losses] ..." where
// samples differ in their number of views.
struct Views {
  Tensor z;
  int64_t count;
};
Views by_view(const Tensor& z, const Tensor& samples);

// The loss of a whole batch (a scalar), in which every row counts.
PairLoss of_batch(const Tensor& loss, int64_t rows);

// Losses of queries against keys, each (samples, d): the mean over the pairs of views, either way
// round. 0 for a single view. z and samples as above.
PairLoss between_views(
    const Tensor& z, const Tensor& samples,
    const std::function<Tensor(const Tensor& queries, const Tensor& keys)>& loss);

// proto_triplet of a batch as an episode: the images of each class are support and query in turn,
// with all their replicas. labels and samples (n) i64 are read on the host.
PairLoss episode_triplet(const Tensor& z, const Tensor& labels, const Tensor& samples,
                         const ProtoTripletOptions& options);

// The pairs of classes (equal ones, too) that the batch has, or `count` of them, drawn by the
// context's seed and step. labels (n) i64 are read on the host.
std::vector<std::pair<int64_t, int64_t>> class_pairs(const Tensor& labels, int64_t count,
                                                     const StepContext& context);

}  // namespace ditto::losses
