#include "losses/triplet.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/index_select.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape_ops.h"
#include "autograd/recompute.h"

namespace ditto::losses {

namespace {

void check_margin(const char* op, double margin) {
  if (!(margin >= 0 && std::isfinite(margin)))
    fail(std::string("[") + op + "] margin must not be negative:", margin);
}

}  // namespace

PairLoss triplet_hard(const Tensor& z, const Tensor& labels, const TripletOptions& options) {
  check_margin("triplet_hard", options.margin);
  const kernels::TripletHard math{.margin = options.margin, .squared = options.squared};
  const PairTensors tensors{.a = embeddings("triplet_hard", z, options.common),
                            .query_ids = pair_ids("triplet_hard", labels)};
  return reduce_anchors("triplet_hard", pair_loss_rows("triplet_hard", math, tensors, true),
                        options.common);
}

namespace {

// The rows of a batch by class.
struct Classes {
  std::vector<int64_t> labels;
  std::map<int64_t, std::vector<int64_t>> members;

  explicit Classes(std::vector<int64_t> y) : labels(std::move(y)) {
    for (size_t i = 0; i < labels.size(); ++i)
      members[labels[i]].push_back(static_cast<int64_t>(i));
  }
  int64_t positives(int64_t anchor) const {
    return static_cast<int64_t>(members.at(labels[size_t(anchor)]).size()) - 1;
  }
};

// The triplets of the anchors [first, end): the sum of their losses, and `which` of
// TripletPair's counts.
Tensor triplets_of(const Classes& classes, int64_t first, int64_t end,
                   const kernels::TripletPair& math, int which, const Tensor& x,
                   const Tensor& labels) {
  std::vector<int64_t> anchors, positives, anchor_labels;
  for (int64_t i = first; i < end; ++i)
    for (int64_t p : classes.members.at(classes.labels[size_t(i)])) {
      if (p == i) continue;
      anchors.push_back(i);
      positives.push_back(p);
      anchor_labels.push_back(classes.labels[size_t(i)]);
    }
  if (anchors.empty()) return Tensor::zeros({2}, x.dtype(), x.device());
  const auto ids = [&](const std::vector<int64_t>& values) {
    return Tensor::from(values, {static_cast<int64_t>(values.size())}).to(x.device());
  };
  const PairRows rows = pair_loss_rows("triplet_all", math,
                                       {.a = index_select(x, ids(anchors)),
                                        .b = x,
                                        .query_ids = ids(positives),
                                        .key_ids = Tensor::arange(x.dim(0)).to(x.device()),
                                        .query_exclude = ids(anchor_labels),
                                        .key_exclude = labels},
                                       true);
  const Tensor count = sum(slice(rows.stats, 0, which, which + 1));
  return concat({reshape(sum(rows.loss), {1}), reshape(count, {1})}, 0);
}

}  // namespace

PairLoss triplet_all(const Tensor& z, const Tensor& labels, const TripletAllOptions& options) {
  check_margin("triplet_all", options.margin);
  using Math = kernels::TripletPair;
  const char* op = "triplet_all";
  check(options.common.reduction != Reduction::None, "[triplet_all] has no loss per anchor");
  const Tensor x = embeddings(op, z, options.common);
  const int64_t n = x.dim(0);
  check_index(op, labels, n, x);
  const auto classes = std::make_shared<const Classes>(labels.detach().to_vector<int64_t>());
  const bool negatives = classes->members.size() > 1;
  int64_t valid = 0;
  for (int64_t i = 0; i < n && negatives; ++i) valid += classes->positives(i) > 0;
  if (options.common.no_positive == NoPositive::Error && valid < n)
    fail("[triplet_all] anchors without a positive (or negative) pair:", n - valid, "of", n);
  const Math math{.margin = options.margin, .squared = options.squared};
  const int which = options.over_active ? Math::kActive : Math::kTriplets;
  // Every pair of anchor and positive has a row of embeddings: as many pairs at a time as fill a
  // tile, and the next ones in its place.
  const int64_t most = std::max<int64_t>(
      1, kernels::kPairTileBytes / std::max<int64_t>(1, x.dim(1) * size_of(x.dtype())));
  Tensor total;
  for (int64_t first = 0, end = 0; first < n && negatives; first = end) {
    for (int64_t pairs = 0; end < n && (end == first || pairs + classes->positives(end) <= most);)
      pairs += classes->positives(end++);
    const auto block = [=](const Tensors& in) {
      return triplets_of(*classes, first, end, math, which, in[0], labels);
    };
    const Tensor part = end - first == n ? block({x}) : recompute(block, {x});
    total = total.defined() ? total + part : part;
  }
  Tensor loss = sum(x) * 0.0;
  if (total.defined() && valid > 0) {
    loss = sum(slice(total, 0, 0, 1));
    if (options.common.reduction == Reduction::Mean)
      loss = loss / maximum(sum(slice(total.detach(), 0, 1, 2)), 1.0);
  }
  return {options.common.scale == 1 ? loss : loss * options.common.scale,
          Tensor::scalar(static_cast<double>(valid), x.dtype(), x.device())};
}

PairLoss proto_triplet(const Tensor& support, const Tensor& support_labels, const Tensor& query,
                       const Tensor& query_labels, const ProtoTripletOptions& options) {
  check_margin("proto_triplet", options.margin);
  const char* op = "proto_triplet";
  const Tensor s = embeddings(op, support, options.common),
               q = embeddings(op, query, options.common);
  check_match(op, s, q);
  check_index(op, support_labels, s.dim(0), s);
  check_index(op, query_labels, q.dim(0), s);
  const std::vector<int64_t> y = support_labels.detach().to_vector<int64_t>();
  std::map<int64_t, double> counts;
  for (int64_t label : y) ++counts[label];
  check(!counts.empty(), "[proto_triplet] needs at least one support row");
  // Class means as a product with a constant matrix.
  std::vector<int64_t> names;
  std::vector<double> weights;
  for (const auto& [label, count] : counts) {
    names.push_back(label);
    for (int64_t other : y) weights.push_back(other == label ? 1 / count : 0);
  }
  const int64_t classes = static_cast<int64_t>(names.size());
  const Tensor prototypes =
      matmul(Tensor::from(weights, {classes, s.dim(0)}, s.dtype()).to(s.device()), s);
  const kernels::TripletHard math{.margin = options.margin, .squared = options.squared};
  const PairTensors tensors{.a = q,
                            .b = prototypes,
                            .query_ids = query_labels,
                            .key_ids = Tensor::from(names, {classes}).to(s.device())};
  return reduce_anchors(op, pair_loss_rows(op, math, tensors, true), options.common);
}

}  // namespace ditto::losses
