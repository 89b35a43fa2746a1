#include "losses/cross_entropy.h"

#include "autograd/ops/softmax.h"
#include "losses/targets.h"

namespace ditto::losses {

Tensor cross_entropy(const Tensor& logits, const Tensor& target,
                     const CrossEntropyOptions& options) {
  const Tensor rows = cross_entropy_rows(
      logits, target,
      {.label_smoothing = options.label_smoothing, .ignore_index = options.ignore_index});
  return reduce(rows, options.reduction,
                static_cast<double>(counted_rows(target, options.ignore_index)));
}

}  // namespace ditto::losses
