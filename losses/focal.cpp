#include "losses/focal.h"

#include "autograd/mixed_precision.h"
#include "autograd/ops/activations.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/softmax.h"
#include "losses/targets.h"

namespace ditto::losses {

Tensor softmax_focal(const Tensor& logits, const Tensor& target, const SoftmaxFocalOptions& o) {
  check(o.gamma >= 0, "[softmax_focal] gamma must not be negative:", o.gamma);
  const Tensor rows =
      cross_entropy_rows(logits, target,
                         {.label_smoothing = o.label_smoothing,
                          .ignore_index = o.ignore_index,
                          .function = {.kind = kernels::NllFunction::Kind::Focal, .a = o.gamma}});
  return reduce(rows, o.reduction, static_cast<double>(counted_rows(target, o.ignore_index)));
}

Tensor sigmoid_focal(const Tensor& outputs, const Tensor& target, const SigmoidFocalOptions& o) {
  check(o.gamma >= 0, "[sigmoid_focal] gamma must not be negative:", o.gamma);
  check(o.alpha <= 1, "[sigmoid_focal] alpha must be at most 1:", o.alpha);
  check_floating("sigmoid_focal", outputs);
  const Tensor x = widened(outputs);
  check_defined("sigmoid_focal", target);
  const Tensor t =
      is_soft(target) ? target.detach() : as_soft("sigmoid_focal", x, target, kNoIgnoredLabel);
  check_match("sigmoid_focal", x, t);
  check((x.rank() == 1 || x.rank() == 2) && x.shape() == t.shape(),
        "[sigmoid_focal] needs (n) or (n, K) logits and targets of one shape, got", x.shape(),
        "and", t.shape());
  const Tensor rest = 1.0 - t;
  const Tensor bce = softplus(x) - x * t;
  // 1 - p_t, never from 1 minus a rounded p; above 0 because pow has no derivative there.
  const Tensor miss = maximum(sigmoid(x) * rest + sigmoid(-x) * t, 1e-30);
  Tensor loss = o.gamma == 0 ? bce : bce * pow(miss, o.gamma);
  if (o.alpha >= 0) loss = loss * (t * o.alpha + rest * (1 - o.alpha));
  if (x.rank() == 2) loss = sum(loss, 1);
  return reduce(loss, o.reduction, o.normalizer > 0 ? o.normalizer : -1);
}

Tensor dataset_equity_weights(const Tensor& likelihood, const DatasetEquityOptions& o) {
  check(o.eta >= 0 && o.gamma >= 0, "[dataset_equity] eta and gamma must not be negative:", o.eta,
        o.gamma);
  check_rank("dataset_equity", likelihood, 1);
  const Tensor rare = clamp(1.0 - widened(likelihood.detach()), 0, 1);
  return (pow(rare, o.gamma) + o.eta) / (o.eta + 1);
}

Tensor generalized_focal(const Tensor& rows, const Tensor& likelihood,
                         const DatasetEquityOptions& options, Reduction reduction) {
  check_rank("generalized_focal", rows, 1);
  check(likelihood.defined() && likelihood.shape() == rows.shape(),
        "[generalized_focal] needs one likelihood per row:", likelihood, "for", rows);
  return reduce(widened(rows) * dataset_equity_weights(likelihood, options), reduction);
}

}  // namespace ditto::losses
