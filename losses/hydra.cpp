#include "losses/hydra.h"

#include "autograd/ops/activations.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/index_select.h"
#include "autograd/ops/l2_normalize.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape_ops.h"
#include "nn/init.h"

namespace ditto::losses {
namespace {

// Rows of class `from` against positives of class `to`; undefined where there is no pair.
Tensor one_direction(const Tensor& gated, const std::vector<int64_t>& labels, int64_t from,
                     int64_t to, double temperature) {
  const int64_t n = gated.dim(0);
  // Keys: class `to` agrees with the queries; class `from`, the queries among it, is left out.
  std::vector<int64_t> queries, own_rows, positive(labels.size()), exclude(labels.size());
  int64_t positives = 0;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t label = labels[size_t(i)];
    if (label == from) queries.push_back(i);
    positives += label == to;
    positive[size_t(i)] = label == to ? 1 : 0;
    exclude[size_t(i)] = label == from ? 1 : 0;
  }
  if (queries.empty() || positives < (from == to ? 2 : 1)) return Tensor();
  const auto ids = [&](const std::vector<int64_t>& values) {
    return Tensor::from(values, {static_cast<int64_t>(values.size())}).to(gated.device());
  };
  const kernels::OnePositive math{.temperature = temperature};
  if (from == to) {
    // All rows against each other, which leaves out (i, i); rows of other classes get ids of their
    // own and are no anchors.
    for (int64_t i = 0; i < n; ++i)
      if (labels[size_t(i)] != to) positive[size_t(i)] = 2 + i;
    const PairRows rows = pair_loss_rows("hydra", math, {.a = gated, .query_ids = ids(positive)});
    return sum(rows.loss) / static_cast<double>(queries.size());
  }
  const std::vector<int64_t> ones(queries.size(), 1);
  const PairRows rows = pair_loss_rows("hydra", math,
                                       {.a = index_select(gated, ids(queries)),
                                        .b = gated,
                                        .query_ids = ids(ones),
                                        .key_ids = ids(positive),
                                        .query_exclude = ids(ones),
                                        .key_exclude = ids(exclude)});
  return mean(rows.loss);
}

}  // namespace

PairLoss hydra(const Tensor& z, const Tensor& labels, const Tensor& gates,
               const std::vector<std::pair<int64_t, int64_t>>& classes,
               const HydraOptions& options) {
  check_temperature("hydra", options.temperature);
  check_rank("hydra", z, 2);
  check_index("hydra", labels, z.dim(0), z);
  check_rank("hydra", gates, 2);
  check_match("hydra", z, gates);
  const int64_t count = static_cast<int64_t>(classes.size());
  check(gates.dim(0) == count && gates.dim(1) == z.dim(1), "[hydra] gates", gates.shape(),
        "do not fit", count, "pairs of classes and embeddings", z.shape());
  const std::vector<int64_t> y = labels.detach().to_vector<int64_t>();
  Tensor total = (sum(z) + sum(gates)) * 0.0;
  int64_t valid = 0;
  for (int64_t g = 0; g < count; ++g) {
    const auto [a, b] = classes[size_t(g)];
    const Tensor gated = l2_normalize(z * slice(gates, 0, g, g + 1));
    const Tensor there = one_direction(gated, y, a, b, options.temperature);
    if (!there.defined()) continue;
    ++valid;
    // Both directions have the same pairs: the mean of the two is the mean over pairs.
    total = total +
            (a == b ? there : (there + one_direction(gated, y, b, a, options.temperature)) * 0.5);
  }
  const double share = options.scale / static_cast<double>(std::max<int64_t>(valid, 1));
  return {total * share, Tensor::scalar(static_cast<double>(valid), z.dtype(), z.device())};
}

HydraGate::HydraGate(int64_t classes, int64_t label_features, int64_t hidden, int64_t features)
    : labels_(parameter("labels", {classes, label_features}, nn::normal(1))),
      hidden_(child<nn::Linear>("hidden", label_features, hidden)),
      gate_(child<nn::Linear>("gate", hidden, features)) {}

Tensor HydraGate::operator()(const std::vector<std::pair<int64_t, int64_t>>& classes) {
  std::vector<int64_t> first, second;
  for (const auto& [a, b] : classes) {
    for (int64_t label : {a, b})
      check(label >= 0 && label < labels_.dim(0), "[hydra] class", label, "is not in [0,",
            labels_.dim(0), ")");
    first.push_back(a);
    second.push_back(b);
  }
  const auto rows = [&](const std::vector<int64_t>& index) {
    return index_select(
        labels_, Tensor::from(index, {static_cast<int64_t>(index.size())}).to(labels_.device()));
  };
  return sigmoid(gate_(relu(hidden_((rows(first) + rows(second)) * 0.5))));
}

}  // namespace ditto::losses
