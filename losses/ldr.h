// Label-distributionally robust losses: a KL-regularised maximum over the classes that the true
// class must beat by a margin.
//
//   LDR-KL: L_i = lambda log (1/K) sum_k exp((f_k - f_y + c [k != y]) / lambda)
//
// c = 0 and lambda = 1 give cross-entropy less log K; lambda -> 0 the Crammer-Singer hinge. ALDR-KL
// has a lambda of its own for each sample, from how peaked the sample's prediction was:
//
//   lambda_i = lambda0 (1 - KL(softmax(f / lambda_i') || uniform) / (alpha log K)),
//   L_i = LDR-KL(lambda_i) - alpha log K / (2 lambda0) (lambda_i - lambda0)^2
//
// with lambda_i' of the sample's last visit; lambda_i is a constant of the gradient. Source: Zhu et
// al. 2023 (paper 001, entry 13).
#pragma once

#include "losses/cross_entropy.h"
#include "losses/sample_table.h"

namespace ditto::losses {

// f of logits z: None z itself; SoftplusMean softplus(z) / mean_k softplus(z); L1 z / mean_k |z|.
// The divisors are at least 1e-12 (the authors' code gives NaN for a row of zeros).
enum class LdrNormalize { None, SoftplusMean, L1 };

struct LdrOptions {
  double margin = 2;  // c; the authors' "threshold"
  double lambda = 1;  // temperature
  LdrNormalize normalize = LdrNormalize::SoftplusMean;
  int64_t ignore_index = -100;
  Reduction reduction = Reduction::Mean;
};
// logits (n, K), labels i64 (n).
Tensor ldr(const Tensor& logits, const Tensor& labels, const LdrOptions& options = {});

struct AldrOptions {
  double margin = 1;
  double lambda0 = 1;
  double alpha = 2;
  double smoothing = 1e-5;  // added to every probability inside the KL
  LdrNormalize normalize = LdrNormalize::L1;
  int64_t ignore_index = -100;
  Reduction reduction = Reduction::Mean;
};
// One step for the samples with the given ids (n) i64: reads their lambdas from `lambdas` (a table
// that starts at lambda0), stores the new ones unless gradients are off, and returns the loss.
Tensor aldr(const Tensor& logits, const Tensor& labels, const Tensor& sample_ids,
            SampleTable& lambdas, const AldrOptions& options = {});
// The new lambdas (n), untracked, and the loss for given ones.
Tensor aldr_lambda(const Tensor& logits, const Tensor& previous, const AldrOptions& options = {});
Tensor aldr_loss(const Tensor& logits, const Tensor& labels, const Tensor& lambda,
                 const AldrOptions& options = {});

}  // namespace ditto::losses
