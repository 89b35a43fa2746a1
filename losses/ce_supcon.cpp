#include "losses/ce_supcon.h"

#include "autograd/ops/arithmetic.h"
#include "losses/cross_entropy.h"

namespace ditto::losses {

PairLoss ce_supcon(const Tensor& logits, const Tensor& z, const Tensor& labels,
                   const CeSupConOptions& options) {
  check(options.lambda >= 0 && options.lambda <= 1,
        "[ce_supcon] lambda must be in [0, 1]:", options.lambda);
  check(options.supcon.common.reduction != Reduction::None,
        "[ce_supcon] has no loss per row: cross-entropy is a mean");
  const PairLoss contrastive = supcon(z, labels, options.supcon);
  const Tensor entropy =
      cross_entropy(logits, labels,
                    {.label_smoothing = options.label_smoothing, .ignore_index = kNoIgnoredLabel});
  return {entropy * (1 - options.lambda) + contrastive.loss * options.lambda, contrastive.valid};
}

}  // namespace ditto::losses
