// Supervised contrastive loss: pulls embeddings of one class together and away from all others.
//
//   L_i = -(1/|P(i)|) sum_{p in P(i)} log( e_ip / sum_{a != i} e_ia ),  e_ij = exp(z_i . z_j / tau)
//
// Source: Khosla et al. 2020, Eq. 2 (Out; the paper's choice) and Eq. 3 (In); papers 002 and 003.
// The authors' code multiplies by tau / 0.07: scale = temperature / 0.07 gives its numbers, and
// no_positive = MeanAll its mean. Some libraries' "supcon" is InSum.
#pragma once

#include "losses/anchors.h"

namespace ditto::losses {

using SupConForm = kernels::Contrastive::Form;

struct SupConOptions {
  double temperature = 0.1;
  SupConForm form = SupConForm::Out;
  PairOptions common = {};
};

// z (n, d); labels i64 (n), or multi-hot (n, K): rows that share a label are positive.
PairLoss supcon(const Tensor& z, const Tensor& labels, const SupConOptions& options = {});

}  // namespace ditto::losses
