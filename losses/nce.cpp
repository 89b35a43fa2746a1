#include "losses/nce.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "autograd/mixed_precision.h"
#include "autograd/ops/activations.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/reduce.h"

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
