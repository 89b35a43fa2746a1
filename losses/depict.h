// DEPICT: clustering by a softmax whose target is a sharpened, balanced version of its own
// predictions.
//
//   q_ik ~ p_ik / sqrt(sum_i' p_i'k), normalised over k;  L = -(1 / n) sum_ik q_ik log p_ik
//       + (1 / n) sum_l |z^l - zhat^l|^2
//
// with zhat^l the decoder's reconstruction (from a corrupted input) of layer l of the clean
// encoder. q is a constant; training alternates between computing it and descending. Source: paper
// 001, entry 12.
#pragma once

#include <utility>
#include <vector>

#include "losses/reduction.h"

namespace ditto::losses {

// p (n, K) -> q (n, K), untracked. `column_sums` (K): sum of p over the whole data set, or a moving
// average of it; undefined: over these rows.
Tensor depict_target(const Tensor& p, const Tensor& column_sums = Tensor());

struct DepictOptions {
  double reconstruction = 1;  // weight of the layers' squared distances
  Reduction reduction = Reduction::Mean;
};
// logits (n, K), target q (undefined: depict_target(softmax(logits))); `layers`: pairs of a clean
// and a reconstructed activation (n, ...), both differentiated.
Tensor depict(const Tensor& logits, const Tensor& target = Tensor(),
              const std::vector<std::pair<Tensor, Tensor>>& layers = {},
              const DepictOptions& options = {});

}  // namespace ditto::losses
