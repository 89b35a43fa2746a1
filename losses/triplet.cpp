#include "losses/triplet.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "autograd/mixed_precision.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/index_select.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/triplet_all.h"

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
  const char* op = "triplet_all";
  check(options.common.reduction != Reduction::None, "[triplet_all] has no loss per anchor");
  const Tensor x = widened(embeddings(op, z, options.common));
  const int64_t n = x.dim(0);
  check_index(op, labels, n, x);
  // The rows of each class next to each other, and where each class begins and ends.
  const std::vector<int64_t> y = labels.detach().to_vector<int64_t>();
  std::vector<int64_t> order(y.size()), bounds(2 * y.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return y[size_t(a)] < y[size_t(b)]; });
  int64_t valid = 0;
  double triplets = 0;
  for (int64_t first = 0, end = 0; first < n; first = end) {
    while (end < n && y[size_t(order[size_t(end)])] == y[size_t(order[size_t(first)])]) ++end;
    std::fill(bounds.begin() + first, bounds.begin() + end, first);
    std::fill(bounds.begin() + n + first, bounds.begin() + n + end, end);
    const int64_t size = end - first;
    if (size > 1 && size < n) valid += size;
    triplets += double(size) * double(size - 1) * double(n - size);
  }
  if (options.common.no_positive == NoPositive::Error && valid < n)
    fail("[triplet_all] anchors without a positive (or negative) pair:", n - valid, "of", n);
  const TripletSums rows =
      triplet_all_rows(index_select(x, Tensor::from(order, {n}).to(x.device())),
                       Tensor::from(bounds, {2, n}).to(x.device()),
                       {.margin = options.margin, .squared = options.squared});
  Tensor loss = sum(rows.loss);
  if (options.common.reduction == Reduction::Mean)
    loss = options.over_active ? loss / maximum(sum(rows.active), 1.0)
                               : loss / std::max(triplets, 1.0);
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
