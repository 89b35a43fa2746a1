// Softmax, log-softmax and cross-entropy over the last dimension. Formulas: kernels/softmax.h.
#pragma once

#include "core/tensor.h"
#include "kernels/softmax.h"

namespace ditto {

// x (..., K) -> (..., K). K >= 1.
Tensor softmax(const Tensor& x);
Tensor log_softmax(const Tensor& x);

// Per-row losses (n) of logits (n, K). `target`: labels i64 (n), or soft targets (n, K) in the
// logits' dtype (a constant: no gradient flows into it).
Tensor cross_entropy_rows(const Tensor& logits, const Tensor& target,
                          const kernels::CrossEntropyParams& params = {});

}  // namespace ditto
