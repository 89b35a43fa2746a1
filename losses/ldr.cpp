#include "losses/ldr.h"

#include <cmath>

#include "autograd/grad_mode.h"
#include "autograd/mixed_precision.h"
#include "autograd/ops/activations.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/label_select.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape_ops.h"
#include "autograd/ops/softmax.h"
#include "losses/targets.h"

namespace ditto::losses {
namespace {

Tensor normalized(const Tensor& z, LdrNormalize normalize) {
  if (normalize == LdrNormalize::None) return z;
  const bool l1 = normalize == LdrNormalize::L1;
  const Tensor f = l1 ? z : softplus(z);
  return f / maximum(mean(l1 ? abs(z) : f, 1, true), 1e-12);
}

// lambda (log-sum-exp of (f_k - f_y + c [k != y]) / lambda - log K): cross-entropy of f with the
// margin taken off the true class. lambda (n, 1) or one number.
Tensor ldr_rows(const Tensor& f, const Tensor& labels, double margin, const Tensor& lambda,
                int64_t ignore_index) {
  const Tensor own = pick_label(f, labels, ignore_index);
  const Tensor logits = put_label(f, labels, own - margin, 1, ignore_index) / lambda;
  const Tensor rows = cross_entropy_rows(logits, labels, {.ignore_index = ignore_index}) -
                      std::log(static_cast<double>(f.dim(1)));
  return rows * reshape(lambda, {lambda.numel()});
}

Tensor reduce_rows(Tensor rows, const Tensor& labels, int64_t ignore_index, Reduction reduction) {
  if (const Tensor mask = row_mask(rows, labels, ignore_index); mask.defined()) rows = rows * mask;
  return reduce(rows, reduction, static_cast<double>(counted_rows(labels, ignore_index)));
}

void check_aldr(const AldrOptions& o) {
  check(o.lambda0 > 0 && o.alpha >= 1, "[aldr] needs lambda0 > 0 and alpha >= 1, got", o.lambda0,
        o.alpha);
  check(o.margin >= 0 && o.smoothing >= 0,
        "[aldr] margin and smoothing must not be negative:", o.margin, o.smoothing);
}

// For alpha = 1 and a one-hot prediction lambda is 0: the hinge, which this is as good as.
Tensor floored(const Tensor& lambda, const AldrOptions& o) {
  return maximum(lambda, 1e-6 * o.lambda0);
}

}  // namespace

Tensor ldr(const Tensor& logits, const Tensor& labels, const LdrOptions& o) {
  check(o.lambda > 0, "[ldr] lambda must be positive:", o.lambda);
  check(o.margin >= 0, "[ldr] the margin must not be negative:", o.margin);
  check_hard("ldr", logits, labels);
  const Tensor f = normalized(widened(logits), o.normalize);
  const Tensor lambda = Tensor::full({1, 1}, o.lambda, f.dtype(), f.device());
  return reduce_rows(ldr_rows(f, labels, o.margin, lambda, o.ignore_index), labels, o.ignore_index,
                     o.reduction);
}

Tensor aldr_lambda(const Tensor& logits, const Tensor& previous, const AldrOptions& o) {
  check_aldr(o);
  check_rank("aldr", logits, 2);
  check_match("aldr", logits, previous);
  check(previous.shape() == Shape{logits.dim(0)}, "[aldr] needs one lambda per row:", previous,
        "for", logits);
  const auto classes = static_cast<double>(logits.dim(1));
  if (logits.dim(1) == 1)
    return Tensor::full(previous.shape(), o.lambda0, previous.dtype(), previous.device());
  NoGrad guard;
  const Tensor f = normalized(logits.detach(), o.normalize);
  Tensor p = softmax(f / reshape(floored(previous.detach(), o), {f.dim(0), 1}));
  p = (p + o.smoothing) / (1 + classes * o.smoothing);
  const Tensor kl = sum(p * log(maximum(p, 1e-30)), 1) + std::log(classes);
  return o.lambda0 * (1.0 - kl / (o.alpha * std::log(classes)));
}

Tensor aldr_loss(const Tensor& logits, const Tensor& labels, const Tensor& lambda,
                 const AldrOptions& o) {
  check_aldr(o);
  check_hard("aldr", logits, labels);
  const Tensor f = normalized(widened(logits), o.normalize), own = lambda.detach();
  const double weight = o.alpha * std::log(static_cast<double>(f.dim(1))) / (2 * o.lambda0);
  const Tensor floor = floored(own, o);
  const Tensor rows = ldr_rows(f, labels, o.margin, reshape(floor, {f.dim(0), 1}), o.ignore_index) -
                      square(own - o.lambda0) * weight;
  return reduce_rows(rows, labels, o.ignore_index, o.reduction);
}

Tensor aldr(const Tensor& logits, const Tensor& labels, const Tensor& sample_ids,
            SampleTable& lambdas, const AldrOptions& o) {
  check_rank("aldr", logits, 2);
  const Tensor z = widened(logits);
  const Tensor previous = lambdas.read(sample_ids, z);
  const Tensor lambda = aldr_lambda(z, previous, o).to(z.device());
  if (grad_enabled()) lambdas.write(sample_ids, lambda);
  return aldr_loss(z, labels, lambda, o);
}

}  // namespace ditto::losses
