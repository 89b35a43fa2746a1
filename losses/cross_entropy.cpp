#include "losses/cross_entropy.h"

#include <algorithm>

#include "autograd/ops/softmax.h"

namespace ditto::losses {

Tensor cross_entropy(const Tensor& logits, const Tensor& target,
                     const CrossEntropyOptions& options) {
  const Tensor rows = cross_entropy_rows(
      logits, target,
      {.label_smoothing = options.label_smoothing, .ignore_index = options.ignore_index});
  int64_t count = rows.numel();
  // Counting waits for a device; trainings have no label to ignore (kNoIgnoredLabel).
  if (target.dtype() == Dtype::I64 && options.ignore_index != kNoIgnoredLabel) {
    const Tensor labels = target.detach().to(kCpu).contiguous();
    const int64_t* first = labels.data<int64_t>();
    count -= std::count(first, first + labels.numel(), options.ignore_index);
  }
  return reduce(rows, options.reduction, static_cast<double>(count));
}

}  // namespace ditto::losses
