#include "losses/nce.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "autograd/mixed_precision.h"
#include "autograd/ops/activations.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/index_select.h"
#include "autograd/ops/label_select.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape_ops.h"
#include "core/rng.h"

namespace ditto::losses {
namespace {

// f - log q (n), checked.
Tensor ratio(const char* op, const Tensor& f, const Tensor& log_q) {
  check_rank(op, f, 1);
  check_match(op, f, log_q);
  if (!(f.shape() == log_q.shape()) || f.numel() == 0)
    fail(std::string("[") + op + "] needs f and log q of one shape, at least one, got", f.shape(),
         "and", log_q.shape());
  return widened(f) - widened(log_q.detach());
}

Tensor log_mean_exp(const Tensor& x) {
  const Tensor top = max(x.detach(), 0).values;
  return log(mean(exp(x - top))) + top;
}

double log_add(double a, double b) {
  const double top = std::max(a, b);
  return top + std::log(std::exp(a - top) + std::exp(b - top));
}

}  // namespace

Tensor nce(const Tensor& f_data, const Tensor& f_noise, const Tensor& log_q_data,
           const Tensor& log_q_noise, const NceOptions& o) {
  check(o.nu >= 0, "[nce] nu must not be negative:", o.nu);
  const Tensor data = ratio("nce", f_data, log_q_data), noise = ratio("nce", f_noise, log_q_noise);
  const double nu =
      o.nu > 0 ? o.nu : static_cast<double>(noise.numel()) / static_cast<double>(data.numel());
  const double log_nu = std::log(nu);
  return mean(softplus(log_nu - data)) + mean(softplus(noise - log_nu)) * nu;
}

Tensor nce_classes(const Tensor& logits, const Tensor& labels, const Tensor& shares,
                   const ClassNceOptions& o) {
  check(o.noise >= 1, "[nce] needs at least one class of noise per row, got", o.noise);
  check_rank("nce", logits, 2);
  const int64_t n = logits.dim(0), classes = logits.dim(1), draws = n * o.noise;
  check_index("nce", labels, n, logits);
  check(shares.shape() == Shape{classes}, "[nce] needs one share per class:", shares, "for",
        logits);
  std::vector<double> below;  // the sum of the shares up to and with each class
  double total = 0;
  for (double share : shares.to_vector<double>()) {
    check(share > 0, "[nce] the share of class", below.size(), "is not positive:", share);
    below.push_back(total += share);
  }
  Rng rng(o.seed, Purpose::User, o.step);
  std::vector<int64_t> drawn(static_cast<size_t>(draws)), at(drawn.size());
  for (size_t i = 0; i < drawn.size(); ++i) {
    const auto found = std::upper_bound(below.begin(), below.end(), rng.uniform() * total);
    drawn[i] = std::min<int64_t>(found - below.begin(), classes - 1);
    at[i] = static_cast<int64_t>(i) / o.noise * classes + drawn[i];
  }
  const Tensor z = widened(logits), log_q = log(shares.detach().to(z.dtype()));
  const auto index = [&](const std::vector<int64_t>& values) {
    return Tensor::from(values, {draws}).to(z.device());
  };
  return nce(pick_label(z, labels), index_select(reshape(z, {n * classes}), index(at)),
             index_select(log_q, labels), index_select(log_q, index(drawn)),
             {.nu = static_cast<double>(o.noise)});
}

Tensor compositional_nll(const Tensor& f_data, const Tensor& f_noise, const Tensor& log_q_noise) {
  check_rank("compositional_nll", f_data, 1);
  return log_mean_exp(ratio("compositional_nll", f_noise, log_q_noise)) - mean(widened(f_data));
}

TrackedCompositionalNll::TrackedCompositionalNll(double momentum)
    : momentum_(momentum), log_u_(NAN) {
  check(momentum >= 0 && momentum < 1,
        "[compositional_nll] the momentum must be in [0, 1):", momentum);
}

Tensor TrackedCompositionalNll::operator()(const Tensor& f_data, const Tensor& f_noise,
                                           const Tensor& log_q_noise) {
  check_rank("compositional_nll", f_data, 1);
  const Tensor inner = log_mean_exp(ratio("compositional_nll", f_noise, log_q_noise));
  const double now = inner.detach().item();
  log_u_ = std::isnan(log_u_) || momentum_ == 0
               ? now
               : log_add(std::log(momentum_) + log_u_, std::log(1 - momentum_) + now);
  // Gradient of w / u with u a constant; w / u is at most 1 / (1 - momentum).
  const Tensor share = exp(inner - log_u_);
  return share - share.detach() + log_u_ - mean(widened(f_data));
}

}  // namespace ditto::losses
