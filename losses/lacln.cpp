#include "losses/lacln.h"

#include "autograd/ops/arithmetic.h"
#include "losses/cross_entropy.h"

namespace ditto::losses {

PairLoss lacln(const Tensor& z, const Tensor& labels, const LaclnOptions& options) {
  check_temperature("lacln", options.temperature);
  const kernels::HardNegative math{.temperature = options.temperature,
                                   .beta = 1,
                                   .through_weights = options.through_weights,
                                   .log_positives = options.log_positives};
  return pair_loss("lacln", math, z, labels, options.common);
}

PairLoss clce(const Tensor& logits, const Tensor& z, const Tensor& labels,
              const ClceOptions& options) {
  check(options.lambda >= 0 && options.lambda <= 1,
        "[clce] lambda must be in [0, 1]:", options.lambda);
  check(options.lacln.common.reduction != Reduction::None,
        "[clce] has no loss per row: cross-entropy is a mean");
  const PairLoss contrastive = lacln(z, labels, options.lacln);
  const Tensor entropy =
      cross_entropy(logits, labels,
                    {.label_smoothing = options.label_smoothing, .ignore_index = kNoIgnoredLabel});
  return {entropy * (1 - options.lambda) + contrastive.loss * options.lambda, contrastive.valid};
}

}  // namespace ditto::losses
