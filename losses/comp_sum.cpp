#include "losses/comp_sum.h"

#include <cmath>

#include "autograd/mixed_precision.h"
#include "autograd/ops/activations.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/label_select.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape_ops.h"
#include "autograd/ops/softmax.h"
#include "losses/targets.h"

namespace ditto::losses {
namespace {

kernels::NllFunction phi(double tau, double truncation) {
  check(tau >= 0 && tau <= 2, "[comp_sum] tau must be in [0, 2]:", tau);
  check(truncation >= 0 && truncation < 1,
        "[comp_sum] the truncation must be in [0, 1):", truncation);
  const double cap = truncation > 0 ? -std::log(truncation) : INFINITY;
  if (tau == 1 && truncation == 0) return {};
  // The limit of expm1(a x) / a: an `a` too small to matter keeps the truncation.
  const double a = tau == 1 ? 1e-30 : 1 - tau;
  return {.kind = kernels::NllFunction::Kind::Power, .a = a, .cap = cap};
}

}  // namespace

Tensor comp_sum(const Tensor& logits, const Tensor& target, const CompSumOptions& o) {
  Tensor rows = cross_entropy_rows(logits, target,
                                   {.label_smoothing = o.label_smoothing,
                                    .ignore_index = o.ignore_index,
                                    .function = phi(o.tau, o.truncation)});
  if (o.scale != 1) rows = rows * o.scale;
  return reduce(rows, o.reduction, static_cast<double>(counted_rows(target, o.ignore_index)));
}

Tensor generalized_cross_entropy(const Tensor& logits, const Tensor& target, const GceOptions& o) {
  check(o.q >= 0 && o.q <= 1, "[generalized_cross_entropy] q must be in [0, 1]:", o.q);
  return comp_sum(logits, target,
                  {.tau = 1 + o.q,
                   .truncation = o.truncation,
                   .label_smoothing = o.label_smoothing,
                   .ignore_index = o.ignore_index,
                   .reduction = o.reduction});
}

Tensor smooth_adversarial(const Tensor& logits, const Tensor& perturbed_logits,
                          const Tensor& labels, const SmoothAdversarialOptions& o) {
  check_hard("smooth_adversarial", logits, labels);
  check(o.nu >= 0, "[smooth_adversarial] nu must not be negative:", o.nu);
  const Tensor base = comp_sum(
      logits, labels, {.tau = o.tau, .ignore_index = o.ignore_index, .reduction = Reduction::None});
  // D_k(x') - D_k(x) = e_y - e_k with e = z' - z, which is 0 for k = y.
  const Tensor e = widened(perturbed_logits) - widened(logits);
  const Tensor own = reshape(pick_label(e, labels, o.ignore_index), {e.dim(0), 1});
  Tensor distance = sqrt(maximum(sum(square(own - e), 1), 1e-24));
  if (const Tensor mask = row_mask(e, labels, o.ignore_index); mask.defined())
    distance = distance * mask;
  return reduce(base + distance * o.nu, o.reduction,
                static_cast<double>(counted_rows(labels, o.ignore_index)));
}

}  // namespace ditto::losses
