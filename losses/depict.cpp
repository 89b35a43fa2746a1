#include "losses/depict.h"

#include "autograd/mixed_precision.h"
#include "autograd/ops/activations.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape_ops.h"
#include "autograd/ops/softmax.h"

namespace ditto::losses {

Tensor depict_target(const Tensor& p, const Tensor& column_sums) {
  check_rank("depict", p, 2);
  NoGrad guard;
  const Tensor rows = p.detach();
  const Tensor total = column_sums.defined() ? column_sums.detach() : sum(rows, 0);
  check(total.shape() == Shape{p.dim(1)}, "[depict] needs one sum per cluster:", total, "for", p);
  // A cluster that underflowed everywhere keeps its share of 0.
  const Tensor q = rows / sqrt(maximum(total, 1e-30));
  return q / maximum(sum(q, 1, true), 1e-30);
}

Tensor depict(const Tensor& logits, const Tensor& target,
              const std::vector<std::pair<Tensor, Tensor>>& layers, const DepictOptions& o) {
  check(o.reconstruction >= 0,
        "[depict] the weight of the layers must not be negative:", o.reconstruction);
  check_rank("depict", logits, 2);
  const Tensor z = widened(logits);
  const Tensor q = target.defined() ? target : depict_target(softmax(z.detach()));
  Tensor rows = cross_entropy_rows(z, q);
  for (const auto& [clean, reconstructed] : layers) {
    check_match("depict", clean, reconstructed);
    check(clean.shape() == reconstructed.shape() && clean.rank() >= 1 && clean.dim(0) == z.dim(0),
          "[depict] layers", clean.shape(), reconstructed.shape(), "do not fit", z.shape());
    const Tensor distance = square(widened(clean) - widened(reconstructed));
    rows = rows + sum(reshape(distance, {z.dim(0), -1}), 1) * o.reconstruction;
  }
  return reduce(rows, o.reduction);
}

}  // namespace ditto::losses
