// Per-row losses over pairs of embeddings, the op under the contrastive and metric losses.
//
// Formulas: kernels/pair_loss_math.h; how memory stays linear: kernels/pair_loss.h.
#pragma once

#include "core/tensor.h"
#include "kernels/pair_loss.h"

namespace ditto {

struct PairTensors {
  Tensor a = Tensor();  // queries (m, d)
  Tensor b = Tensor();  // keys (n, d), n >= 1; undefined: the queries, without the pairs (i, i)
  // i64 (m) and (n): equal ids are positive pairs. Or masks of label_bits, i64 (m, w) and (n, w): a
  // shared bit is a positive pair. key_ids undefined: the queries' own (then m = n).
  Tensor query_ids = Tensor(), key_ids = Tensor();
  // i64 (m) and (n), optional: pairs that agree here and are not positive do not count.
  Tensor query_exclude = Tensor(), key_exclude = Tensor();
  Tensor inputs = Tensor();  // (kInputs, m) where the loss has numbers of its own per row
};

struct PairRows {
  Tensor loss;   // (m), 0 for anchors that are not valid
  Tensor valid;  // (m), 1 or 0; untracked
  Tensor stats;  // (pair_loss_stats, m), what the backward pass needs; untracked
};

// `op` names the loss in errors. Gradients flow to a, b and, where the loss gives them, `inputs`.
// `distance`: the loss is of squared Euclidean distances instead of dot products.
PairRows pair_loss_rows(const char* op, const kernels::PairMath& math, const PairTensors& tensors,
                        bool distance = false);

// Multi-hot labels (n, K) of any dtype, non-zero where row i has label k, as masks i64 (n, w) for
// query_ids. Made on the host: waits for the device.
Tensor label_bits(const char* op, const Tensor& labels);

}  // namespace ditto
