// EnsLoss: each batch is trained with a convex surrogate drawn at random, given by its derivatives
// alone, so that no single loss is overfitted. Binary.
//
// Source: paper 001, entry 28; the procedure follows the authors' code.
#pragma once

#include <vector>

#include "losses/reduction.h"

namespace ditto::losses {

struct EnsLossOptions {
  uint64_t seed = 0;    // draws depend on the seed, the step and the period's number
  uint64_t step = 0;    // counts the batches
  uint64_t period = 0;  // e.g. the epoch, or epoch / 10: lambda ~ U(-1, 1) is drawn once in each
  Reduction reduction = Reduction::Mean;
};

// Derivatives of n margins: -g with g = (lambda u + 1)^(1 / lambda), u ~ N(0, 1), the inverse
// Box-Cox transform (e^u for lambda = 0), not below -1. In the order drawn.
std::vector<double> ens_loss_draws(int64_t n, const EnsLossOptions& options);
// The draws in ascending order, given to the margins in ascending order (the most negative to the
// smallest margin, so that the surrogate is convex), divided by the margin where that is above 1
// (so that it is bounded below), less 1e-6.
std::vector<double> ens_loss_derivatives(const std::vector<double>& margins,
                                         std::vector<double> draws);

// scores f (n), labels i64 (n): 1 is positive, 0 or -1 negative; margin = +-f. The gradient by f_i
// is the derivative of its margin, with the label's sign (over n for Mean); the value, mean of
// derivative times margin, is bookkeeping only. `draws` replaces the drawn derivatives. Margins are
// sorted on the host.
Tensor ens_loss(const Tensor& scores, const Tensor& labels, const EnsLossOptions& options = {},
                const std::vector<double>& draws = {});

// The same for classes: logits (n, K), labels i64 (n). Two classes: f = z_1 - z_0. Others: every
// class against the rest, all n K margins sorted together, summed over the classes of a row; the
// source has two classes only, so that part is a definition of this project.
Tensor ens_loss_classes(const Tensor& logits, const Tensor& labels,
                        const EnsLossOptions& options = {});

}  // namespace ditto::losses
