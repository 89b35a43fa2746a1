#include "losses/decoupled.h"

#include <cmath>

#include "autograd/mixed_precision.h"
#include "autograd/ops/activations.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/reduce.h"
#include "losses/cross_entropy.h"
#include "losses/targets.h"

namespace ditto::losses {
namespace {

// 1 for true classes, 0 for others.
Tensor true_classes(const char* op, const Tensor& scores, const Tensor& target) {
  return greater(as_soft(op, scores, target, kNoIgnoredLabel), 0);
}

// Row means of `losses` over the true classes, 0 for rows without one, which leave the mean.
Tensor over_true_classes(const Tensor& losses, const Tensor& positive, Reduction reduction) {
  const Tensor count = sum(positive, 1);
  const Tensor rows = sum(losses * positive, 1) / maximum(count, 1.0);
  if (reduction != Reduction::Mean) return reduce(rows, reduction);
  return sum(rows) / maximum(sum(greater(count, 0)), 1.0);
}

// x + t (n, K) with sum_j sigmoid(alpha (x_j + t)) = k.
Tensor shifted(const Tensor& x, double k, double alpha) {
  Tensor t;
  {
    NoGrad guard;
    const Tensor v = x.detach();
    const double fair = std::log(k / (static_cast<double>(x.dim(1)) - k)) / alpha;
    t = fair - max(v, 1, true).values;  // here every term is at most k / K
    Tensor width = max(v, 1, true).values + max(-v, 1, true).values;  // up to k / K at the least
    const int halvings = x.dtype() == Dtype::F64 ? 64 : 40;
    for (int i = 0; i < halvings; ++i) {
      width = width * 0.5;
      const Tensor total = sum(sigmoid((v + (t + width)) * alpha), 1, true);
      t = t + width * (1.0 - greater(total, k));
    }
  }
  if (!grad_enabled()) return x + t;
  const Tensor q = sigmoid((x + t) * alpha);
  const Tensor total = sum(q, 1, true), fixed = q.detach();
  const Tensor slope = maximum(sum(fixed * (1.0 - fixed), 1, true) * alpha, 1e-30);
  // The value is t, the gradient that of one Newton step: the implicit function's.
  return x + (t - (total - total.detach()) / slope);
}

void check_top_k(const Tensor& x, const SoftTopKOptions& o) {
  check_rank("soft_top_k", x, 2);
  check(o.k >= 1 && o.k < x.dim(1), "[soft_top_k] k must be at least 1 and below the", x.dim(1),
        "classes:", o.k);
  check(o.alpha > 0, "[soft_top_k] alpha must be positive:", o.alpha);
}

}  // namespace

Tensor decoupled_softmax(const Tensor& scores, const Tensor& target,
                         const DecoupledSoftmaxOptions& o) {
  check(o.temperature > 0, "[decoupled_softmax] the temperature must be positive:", o.temperature);
  check_rank("decoupled_softmax", scores, 2);
  const Tensor s = widened(scores) / o.temperature;
  const Tensor positive = true_classes("decoupled_softmax", s, target);
  // Log-sum-exp over the negatives; a row without any gets about -1e30, whose softplus is 0.
  const Tensor masked = s * (1.0 - positive) - positive * 1e30;
  const Tensor top = max(masked.detach(), 1, true).values;
  const Tensor lse = log(sum(exp(masked - top), 1, true)) + top;
  return over_true_classes(softplus(lse - s), positive, o.reduction);
}

Tensor soft_top_k(const Tensor& x, const SoftTopKOptions& o) {
  check_top_k(x, o);
  return sigmoid(shifted(widened(x), o.k, o.alpha) * o.alpha);
}

Tensor soft_top_k_loss(const Tensor& x, const Tensor& target, const SoftTopKOptions& o) {
  check_top_k(x, o);
  const Tensor z = widened(x);
  const Tensor positive = true_classes("soft_top_k", z, target);
  return over_true_classes(softplus(shifted(z, o.k, o.alpha) * -o.alpha), positive, o.reduction);
}

}  // namespace ditto::losses
