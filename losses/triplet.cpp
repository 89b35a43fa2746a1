#include "losses/triplet.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/index_select.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape_ops.h"

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

PairLoss triplet_all(const Tensor& z, const Tensor& labels, const TripletAllOptions& options) {
  check_margin("triplet_all", options.margin);
  using Math = kernels::TripletPair;
  const char* op = "triplet_all";
  check(options.common.reduction != Reduction::None, "[triplet_all] has no loss per anchor");
  const Tensor x = embeddings(op, z, options.common);
  const int64_t n = x.dim(0);
  check_index(op, labels, n, x);
  const std::vector<int64_t> y = labels.detach().to_vector<int64_t>();
  std::map<int64_t, std::vector<int64_t>> classes;
  for (int64_t i = 0; i < n; ++i) classes[y[size_t(i)]].push_back(i);
  std::vector<int64_t> anchors, positives, anchor_labels;
  int64_t valid = 0;
  for (int64_t i = 0; i < n && classes.size() > 1; ++i) {
    const auto& members = classes[y[size_t(i)]];
    valid += members.size() > 1;
    for (int64_t p : members) {
      if (p == i) continue;
      anchors.push_back(i);
      positives.push_back(p);
      anchor_labels.push_back(y[size_t(i)]);
    }
  }
  if (options.common.no_positive == NoPositive::Error && valid < n)
    fail("[triplet_all] anchors without a positive (or negative) pair:", n - valid, "of", n);
  const auto ids = [&](const std::vector<int64_t>& values) {
    return Tensor::from(values, {static_cast<int64_t>(values.size())}).to(x.device());
  };
  Tensor loss = sum(x) * 0.0;
  if (!anchors.empty()) {
    const Math math{.margin = options.margin, .squared = options.squared};
    const PairRows rows = pair_loss_rows(op, math,
                                         {.a = index_select(x, ids(anchors)),
                                          .b = x,
                                          .query_ids = ids(positives),
                                          .key_ids = Tensor::arange(n).to(x.device()),
                                          .query_exclude = ids(anchor_labels),
                                          .key_exclude = labels},
                                         true);
    loss = sum(rows.loss);
    if (options.common.reduction == Reduction::Mean) {
      const int which = options.over_active ? Math::kActive : Math::kTriplets;
      loss = loss / maximum(sum(slice(rows.stats, 0, which, which + 1)), 1.0);
    }
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
