#include "losses/anchors.h"

#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "autograd/ops/l2_normalize.h"
#include "autograd/ops/reduce.h"

namespace ditto::losses {

PairLoss reduce_anchors(const char* op, const PairRows& rows, const PairOptions& options) {
  const Tensor valid = sum(rows.valid);
  const int64_t all = rows.loss.numel();
  if (options.no_positive == NoPositive::Error) {
    const auto missing = all - static_cast<int64_t>(valid.item());
    if (missing > 0)
      fail(std::string("[") + op + "] anchors without a positive (or negative) pair:", missing,
           "of", all);
  }
  const bool by_valid =
      options.reduction == Reduction::Mean && options.no_positive == NoPositive::MeanValid;
  // Division by the tensor: asking for the count would wait for the device.
  const Tensor loss = by_valid ? sum(rows.loss) / maximum(valid, 1.0)
                               : reduce(rows.loss, options.reduction, static_cast<double>(all));
  return {options.scale == 1 ? loss : loss * options.scale, valid};
}

Tensor embeddings(const char* op, const Tensor& x, const PairOptions& options) {
  check_rank(op, x, 2);
  return options.normalize ? l2_normalize(x) : x;
}

Tensor pair_ids(const char* op, const Tensor& labels) {
  check_defined(op, labels);
  return labels.rank() == 2 ? label_bits(op, labels) : labels;
}

}  // namespace ditto::losses
