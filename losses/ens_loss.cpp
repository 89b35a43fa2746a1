#include "losses/ens_loss.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/mixed_precision.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape_ops.h"
#include "core/rng.h"

namespace ditto::losses {

std::vector<double> ens_loss_draws(int64_t n, const EnsLossOptions& o) {
  const double lambda = Rng(o.seed, Purpose::User, o.period, 1).uniform(-1, 1);
  Rng rng(o.seed, Purpose::User, o.step);
  std::vector<double> draws(static_cast<size_t>(n));
  for (double& g : draws) {
    const double u = rng.normal();
    // Beyond the transform's range: its limit, 0 for lambda > 0 and infinity (then -1) below.
    const double inverse = std::fabs(lambda) < 1e-12
                               ? std::exp(u)
                               : std::pow(std::max(lambda * u + 1, 0.0), 1 / lambda);
    g = std::max(-inverse, -1.0);
  }
  return draws;
}

std::vector<double> ens_loss_derivatives(const std::vector<double>& margins,
                                         std::vector<double> draws) {
  check(draws.size() == margins.size(), "[ens_loss] needs one draw per margin:", draws.size(),
        "for", margins.size());
  std::sort(draws.begin(), draws.end());
  std::vector<size_t> order(margins.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return margins[a] < margins[b]; });
  std::vector<double> out(margins.size());
  for (size_t i = 0; i < order.size(); ++i) {
    const double z = margins[order[i]];
    out[order[i]] = (z > 1 ? draws[i] / z : draws[i]) - 1e-6;
  }
  return out;
}

Tensor ens_loss(const Tensor& scores, const Tensor& labels, const EnsLossOptions& o,
                const std::vector<double>& draws) {
  check_rank("ens_loss", scores, 1);
  check_index("ens_loss", labels, scores.dim(0), scores);
  const Tensor f = widened(scores);
  std::vector<double> sign;
  for (int64_t label : labels.to_vector<int64_t>()) {
    check(label >= -1 && label <= 1, "[ens_loss] a label must be 1, 0 or -1:", label);
    sign.push_back(label == 1 ? 1 : -1);
  }
  std::vector<double> margins = f.detach().to_vector<double>();
  for (size_t i = 0; i < sign.size(); ++i) margins[i] *= sign[i];
  std::vector<double> slope =
      ens_loss_derivatives(margins, draws.empty() ? ens_loss_draws(f.dim(0), o) : draws);
  for (size_t i = 0; i < sign.size(); ++i) slope[i] *= sign[i];
  return reduce(f * Tensor::from(slope, f.shape(), f.dtype()).to(f.device()), o.reduction);
}

Tensor ens_loss_classes(const Tensor& logits, const Tensor& labels, const EnsLossOptions& o) {
  check_rank("ens_loss", logits, 2);
  const int64_t n = logits.dim(0), classes = logits.dim(1);
  check_index("ens_loss", labels, n, logits);
  const std::vector<int64_t> y = labels.to_vector<int64_t>();
  for (int64_t label : y)
    check(label >= 0 && label < classes, "[ens_loss] label", label, "is not in [0,", classes, ")");
  const Tensor z = widened(logits);
  if (classes == 2) return ens_loss(reshape(slice(z, 1, 1, 2) - slice(z, 1, 0, 1), {n}), labels, o);
  std::vector<int64_t> own(static_cast<size_t>(n * classes));
  for (int64_t i = 0; i < n; ++i) own[size_t(i * classes + y[size_t(i)])] = 1;
  EnsLossOptions each = o;
  each.reduction = Reduction::None;
  const Tensor terms =
      ens_loss(reshape(z, {n * classes}), Tensor::from(own, {n * classes}).to(z.device()), each);
  return reduce(sum(reshape(terms, {n, classes}), 1), o.reduction);
}

}  // namespace ditto::losses
