// AnyLoss: a metric of the confusion matrix as a loss, with each prediction pushed towards 0 or 1
// by a steep sigmoid so that the counts have gradients.
//
//   A(p) = sigmoid(L (p - 1/2));  TP = sum y A, FN = sum y (1 - A), FP = sum (1 - y) A, TN likewise
//   loss = 1 - metric(TP, FN, FP, TN)
//
// over the whole batch, so there are no per-row losses. Source: paper 001, entry 1.
#pragma once

#include "core/tensor.h"

namespace ditto::losses {

enum class AnyMetric {
  Accuracy,         // (TP + TN) / N
  FBeta,            // (1 + b^2) TP / ((1 + b^2) TP + b^2 FN + FP)
  GMean,            // sqrt(recall specificity); the extension repository forgets the root
  BalancedAccuracy  // (recall + specificity) / 2
};

struct AnyLossOptions {
  AnyMetric metric = AnyMetric::FBeta;
  double beta = 1;
  // L. With the paper's 73 a prediction further than 0.2 from 1/2 has almost no gradient.
  double amplification = 73;
};

// probabilities p and targets y in {0, 1} (constants), both (n), or (n, K): one class against the
// rest, averaged over the classes [def]. Where the batch has no positives or no negatives, the part
// of the metric that needs them is left out: recall or specificity, and for FBeta the class; a
// batch without any part loses 0. A scalar.
Tensor any_loss(const Tensor& probabilities, const Tensor& target,
                const AnyLossOptions& options = {});
// The same from logits, p = sigmoid(logits); target may be labels i64 (n) for logits (n, K).
Tensor any_loss_logits(const Tensor& logits, const Tensor& target,
                       const AnyLossOptions& options = {});

}  // namespace ditto::losses
