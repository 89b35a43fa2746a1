// NoProp: every block of a network learns on its own to denoise the label's embedding; no gradient
// passes between blocks.
#pragma once

#include "losses/reduction.h"

namespace ditto::losses {

struct NoPropOptions {
  double weight = 1;  // of the block, e.g. eta (SNR(t) - SNR(t - 1)) T / 2
  Reduction reduction = Reduction::Mean;
};
// L_i = weight |uhat_i - u_{y_i}|^2: one block's prediction uhat (n, d) against the embedding of
// the label. embeddings (K, d) are differentiated where they are trained; labels i64 (n). The
// block's own input must come detached from the block before it. [def] in its weight: the source is
// secondary (paper 001, entry 27).
Tensor noprop_local(const Tensor& prediction, const Tensor& embeddings, const Tensor& labels,
                    const NoPropOptions& options = {});

}  // namespace ditto::losses
