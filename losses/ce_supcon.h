// Cross-entropy and SupCon trained together: (1 - lambda) CE + lambda SupCon, the baseline of
// paper 003 (Table 3, "CE + SupCon").
#pragma once

#include "losses/supcon.h"

namespace ditto::losses {

struct CeSupConOptions {
  double lambda = 0.9;  // in [0, 1]
  double label_smoothing = 0;
  SupConOptions supcon = {.temperature = 0.5};
};

// logits (n, K) and embeddings z (n, d) of the same rows, labels i64 (n).
PairLoss ce_supcon(const Tensor& logits, const Tensor& z, const Tensor& labels,
                   const CeSupConOptions& options = {});

}  // namespace ditto::losses
