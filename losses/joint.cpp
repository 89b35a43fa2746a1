#include "losses/joint.h"

#include "autograd/ops/arithmetic.h"
#include "losses/cross_entropy.h"

namespace ditto::losses {

PairLoss with_cross_entropy(const char* op, const Tensor& logits, const Tensor& labels,
                            double label_smoothing, const PairLoss& pairs, double lambda) {
  if (!(lambda >= 0 && lambda <= 1))
    fail("[" + std::string(op) + "] lambda must be in [0, 1]: " + std::to_string(lambda));
  if (pairs.loss.rank() != 0)
    fail("[" + std::string(op) + "] has no loss per row: cross-entropy is a mean");
  const Tensor entropy = cross_entropy(
      logits, labels, {.label_smoothing = label_smoothing, .ignore_index = kNoIgnoredLabel});
  return {entropy * (1 - lambda) + pairs.loss * lambda, pairs.valid};
}

}  // namespace ditto::losses
