#include "losses/lacln.h"

#include "losses/joint.h"

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
  return with_cross_entropy("clce", logits, labels, options.label_smoothing,
                            lacln(z, labels, options.lacln), options.lambda);
}

}  // namespace ditto::losses
