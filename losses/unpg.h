// UNPG: cosines between embeddings of different classes in the batch join every row's softmax as
// additional negatives; and SymFace's pull between the halves of a face.
#pragma once

#include "losses/angular.h"

namespace ditto::losses {

struct UnpgOptions {
  // Pairs whose cosine is in [Q1 - w IQR, Q3 + w IQR] are kept; quartiles are the elements l / 4
  // and 3 l / 4 (rounded down) of the sorted list of l cosines.
  double whisker = 1.5;
};
// Cosines (m) of the pairs i < j with different labels that the filter keeps, in the order of (i,
// j); m may be 0. embeddings (n, d) of any length, labels i64 (n). The choice is made on the host
// and is a constant; O(n^2) memory. Source: Jung et al. 2022, Eq. 6-8.
Tensor unpg_negatives(const Tensor& embeddings, const Tensor& labels,
                      const UnpgOptions& options = {});
// CE of the margin logits (n, K) (cosface_logits, arcface_logits) with `scale` times the negatives
// (m) appended to every row; memory O(n K + m).
Tensor unpg(const Tensor& margin_logits, const Tensor& negatives, const Tensor& labels,
            double scale = 64, int64_t ignore_index = -1, Reduction reduction = Reduction::Mean);

struct SymFaceOptions {
  double weight = 1;
  double frontness = 0.5;  // samples at least so frontal take part
};
// [def] (the paper's L_rho could not be established): `weight` times the mean of 1 - cos(left_i,
// right_i) over the samples with frontness_i >= the threshold, 0 when there is none; to be added to
// any base loss. left, right (n, d): embeddings of the half faces; frontness (n), a constant.
Tensor symface(const Tensor& left, const Tensor& right, const Tensor& frontness,
               const SymFaceOptions& options = {});

}  // namespace ditto::losses
