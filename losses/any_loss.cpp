#include "losses/any_loss.h"

#include "autograd/mixed_precision.h"
#include "autograd/ops/activations.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape_ops.h"
#include "losses/cross_entropy.h"
#include "losses/targets.h"

namespace ditto::losses {
namespace {

constexpr double kEps = 1e-12;  // in denominators and under the root, whose slope at 0 is infinite

// Means over the classes (K) where `present` is 1; 0 if it is nowhere.
Tensor mean_present(const Tensor& loss, const Tensor& present) {
  return sum(loss * present) / maximum(sum(present), 1.0);
}

}  // namespace

Tensor any_loss(const Tensor& probabilities, const Tensor& target, const AnyLossOptions& o) {
  check(o.amplification > 0, "[any_loss] the amplification must be positive:", o.amplification);
  check(o.beta > 0, "[any_loss] beta must be positive:", o.beta);
  check_match("any_loss", probabilities, target);
  check((probabilities.rank() == 1 || probabilities.rank() == 2) &&
            probabilities.shape() == target.shape() && probabilities.numel() > 0,
        "[any_loss] needs probabilities and targets of one shape, (n) or (n, K), got",
        probabilities.shape(), "and", target.shape());
  const int64_t n = probabilities.dim(0);
  const Tensor p = reshape(widened(probabilities), {n, -1});
  const Tensor y = reshape(widened(target.detach()), {n, -1}), rest = 1.0 - y;
  const Tensor a = sigmoid((p - 0.5) * o.amplification);
  const Tensor tp = sum(y * a, 0), tn = sum(rest * (1.0 - a), 0);
  const Tensor positives = sum(y, 0), negatives = sum(rest, 0);
  const Tensor has_positives = greater(positives, 0), has_negatives = greater(negatives, 0);
  const Tensor recall = tp / maximum(positives, kEps);
  const Tensor specificity = tn / maximum(negatives, kEps);
  switch (o.metric) {
    case AnyMetric::Accuracy:
      return 1.0 - mean(tp + tn) / static_cast<double>(n);
    case AnyMetric::FBeta: {
      const double b2 = o.beta * o.beta;
      const Tensor hits = tp * (1 + b2);
      const Tensor f = hits / (hits + (positives - tp) * b2 + (negatives - tn) + kEps);
      return mean_present(1.0 - f, has_positives);
    }
    case AnyMetric::GMean: {
      const Tensor both = has_positives * has_negatives;
      const Tensor root = sqrt(recall * specificity + kEps);
      const Tensor one = recall * has_positives + specificity * has_negatives;
      return 1.0 - mean(both * root + (1.0 - both) * one);
    }
    case AnyMetric::BalancedAccuracy:
      return 1.0 - mean((recall * has_positives + specificity * has_negatives) /
                        (has_positives + has_negatives));
  }
  fail("[any_loss] unknown metric");
}

Tensor any_loss_logits(const Tensor& logits, const Tensor& target, const AnyLossOptions& options) {
  check_floating("any_loss", logits);
  check_defined("any_loss", target);
  const Tensor z = widened(logits);
  const Tensor y = is_soft(target) ? target : as_soft("any_loss", z, target, kNoIgnoredLabel);
  return any_loss(sigmoid(z), y, options);
}

}  // namespace ditto::losses
