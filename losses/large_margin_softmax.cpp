#include "losses/large_margin_softmax.h"

#include <algorithm>
#include <cmath>

#include "autograd/mixed_precision.h"
#include "autograd/ops/activations.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/label_select.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape_ops.h"
#include "autograd/ops/softmax.h"
#include "losses/targets.h"

namespace ditto::losses {
namespace {

Tensor row_norms(const Tensor& x) { return sqrt(maximum(sum(square(x), 1), 1e-18)); }

// T_m(c) = cos(m theta).
Tensor chebyshev(const Tensor& c, int m) {
  if (m == 1) return c;
  const Tensor square_c = square(c);
  if (m == 2) return square_c * 2.0 - 1.0;
  if (m == 3) return c * (square_c * 4.0 - 3.0);
  return square_c * (square_c - 1.0) * 8.0 + 1.0;
}

Tensor psi(const Tensor& c, int m) {
  Tensor value = chebyshev(c, m), k = c.detach() * 0.0;
  for (int j = 1; j < m; ++j) {
    const Tensor boundary = Tensor::scalar(std::cos(j * M_PI / m), c.dtype(), c.device());
    const Tensor past = greater(boundary, c.detach());
    value = value * (1.0 - past * 2.0);
    k = k + past;
  }
  return value - k * 2.0;
}

}  // namespace

Tensor large_margin_logits(const Tensor& features, const Tensor& weights, const Tensor& labels,
                           const LargeMarginSoftmaxOptions& o) {
  check(o.margin >= 1 && o.margin <= 4,
        "[large_margin_softmax] the margin must be 1 to 4:", o.margin);
  check(o.lambda >= 0, "[large_margin_softmax] lambda must not be negative:", o.lambda);
  check_rank("large_margin_softmax", features, 2);
  check_rank("large_margin_softmax", weights, 2);
  const Tensor x = widened(features), w = widened(weights), z = widened(linear(x, w));
  check_hard("large_margin_softmax", z, labels);
  const Tensor own = pick_label(z, labels);
  const Tensor norms = broadcast_to(reshape(row_norms(w), {1, z.dim(1)}), z.shape());
  const Tensor length = row_norms(x) * pick_label(norms, labels);
  const Tensor margin = length * psi(own / length, o.margin);
  return put_label(z, labels, (own * o.lambda + margin) / (1 + o.lambda));
}

Tensor large_margin_softmax(const Tensor& features, const Tensor& weights, const Tensor& labels,
                            const LargeMarginSoftmaxOptions& o) {
  return reduce(cross_entropy_rows(large_margin_logits(features, weights, labels, o), labels),
                o.reduction);
}

double large_margin_lambda(int64_t iteration, const LargeMarginAnnealing& o) {
  check(iteration >= 0, "[large_margin_softmax] the iteration must not be negative:", iteration);
  return std::max(o.minimum,
                  o.base * std::pow(1 + o.gamma * static_cast<double>(iteration), -o.power));
}

}  // namespace ditto::losses
