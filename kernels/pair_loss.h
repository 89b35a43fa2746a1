// Losses over pairs of embeddings, in memory that is linear in their number.
//
// S = A B^T (or squared distances) is made in tiles of rows that take at most pair_tile_bytes().
// The forward pass turns each row of S into its loss and the few numbers that the loss's
// coefficients need (kernels/pair_loss_math.h); the backward pass makes the tiles again, replaces
// every similarity by its coefficient and multiplies by the embeddings:
//
//   dA = C B,  dB = C^T A,  and for A = B: dA = (C + C^T) A,  C_ij = g_i dL_i/ds_ij
//
// C^T is not a transposed matrix but a coefficient from the numbers of the other row. So no n x n
// matrix exists, every gradient row is written once, and the work is three matrix products.
#pragma once

#include "core/context.h"
#include "core/view.h"
#include "kernels/pair_loss_math.h"

namespace ditto::kernels {

// 8 MiB unless set, which caches hold and next to which the work for a tile is long. Tests set it
// low, to have several tiles of a few rows. Not to be set while a loss is being computed.
int64_t pair_tile_bytes();
void set_pair_tile_bytes(int64_t bytes);

struct PairProblem {
  View a;  // queries (m, d), f32 or f64
  View b;  // keys (n, d); undefined: the queries themselves, and pair (i, i) does not count
  // Pair (i, j) is positive where the ids agree: i64 (m) and (n), or with `bits` masks of labels
  // (m, w) and (n, w), which agree where they share a bit. Undefined key ids: the queries' own.
  View query_ids, key_ids;
  bool bits = false;
  // Optional i64 (m), (n): a pair that is not positive, but agrees here, does not count.
  View query_exclude, key_exclude;
  View inputs;            // (kInputs, m), of the dtype of a
  bool distance = false;  // s_ij is |a_i - b_j|^2 instead of a_i . b_j
};

// How many rows `stats` has, and `inputs`.
int pair_loss_stats(const PairMath& math);
int pair_loss_inputs(const PairMath& math);
// The row of stats that holds dL_i/d(first input), or -1.
int pair_loss_input_gradient(const PairMath& math);
const char* pair_loss_name(const PairMath& math);

// loss (m), valid (m; 1 for anchors that have what the loss needs, else 0 and the loss is 0), stats
// (pair_loss_stats, m).
void pair_loss_forward(CpuContext& ctx, const PairMath& math, const PairProblem& problem,
                       const View& loss, const View& valid, const View& stats);
// From g (m), the gradient of each loss: da (m, d) and db (n, d), each if defined. Without keys da
// is the whole gradient.
void pair_loss_backward(CpuContext& ctx, const PairMath& math, const PairProblem& problem,
                        const View& g, const View& stats, const View& da, const View& db);

void pair_loss_forward(CudaContext& ctx, const PairMath& math, const PairProblem& problem,
                       const View& loss, const View& valid, const View& stats);
void pair_loss_backward(CudaContext& ctx, const PairMath& math, const PairProblem& problem,
                        const View& g, const View& stats, const View& da, const View& db);

}  // namespace ditto::kernels
