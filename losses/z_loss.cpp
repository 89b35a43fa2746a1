#include "losses/z_loss.h"

#include "autograd/mixed_precision.h"
#include "autograd/ops/activations.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/reduce.h"
#include "losses/targets.h"

namespace ditto::losses {

Tensor z_loss(const Tensor& logits, const Tensor& target, const ZLossOptions& o) {
  check(o.a > 0, "[z_loss] a must be positive:", o.a);
  check_rank("z_loss", logits, 2);
  const Tensor outputs = widened(logits);
  const Tensor y = smoothed("z_loss", outputs, target, o.label_smoothing);
  const Tensor centred = outputs - mean(outputs, 1, true);
  const Tensor z = centred / sqrt(maximum(mean(square(centred), 1, true), 1e-12));
  const Tensor rows = over_target("z_loss", softplus((o.b - z) * o.a) / o.a, y, o.ignore_index);
  return reduce(rows, o.reduction, static_cast<double>(counted_rows(y, o.ignore_index)));
}

}  // namespace ditto::losses
