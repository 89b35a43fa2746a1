#include "losses/ce_supcon.h"

#include "losses/joint.h"

namespace ditto::losses {

PairLoss ce_supcon(const Tensor& logits, const Tensor& z, const Tensor& labels,
                   const CeSupConOptions& options) {
  return with_cross_entropy("ce_supcon", logits, labels, options.label_smoothing,
                            supcon(z, labels, options.supcon), options.lambda);
}

}  // namespace ditto::losses
