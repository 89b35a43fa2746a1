// The reference vectors of the losses: formulas' inputs and expected values, computed in f64 by
// 5-point differences, independent of any framework. tests/reference/loss_vectors.json holds
// families -> list of [description, value].
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace ditto::testing {

Tensor matrix(const std::vector<std::vector<double>>& rows, Dtype dtype);

// Inputs that most vectors share, under the names of the reference sheet.
Tensor shared_logits(Dtype dtype);     // Z (4, 3)
Tensor shared_features(Dtype dtype);   // X (4, 2)
Tensor shared_weights(Dtype dtype);    // Wc (3, 2): class weights for X
Tensor shared_norm3(Dtype dtype);      // E3 (6, 3): every row has norm 3
Tensor shared_unit_rows(Dtype dtype);  // E = E3 / 3
Tensor shared_points(Dtype dtype);     // P6 (6, 2)
Tensor shared_scores(Dtype dtype);     // S (3, 3), positives on the diagonal
inline const std::vector<int64_t> kEmbeddingLabels = {0, 0, 1, 1, 0, 2};  // L: row 5 is alone
inline const std::vector<int64_t> kPointLabels = {0, 0, 1, 1, 0, 1};      // LP
Tensor labels_of(const std::vector<int64_t>& values);

// Entry `index` of a family, flat; NaN where the sheet has no value (an anchor without positives).
std::vector<double> expected_values(const std::string& family, int index);

// Expected agreement: 1e-9 in f64 and `f32_tolerance` in f32, relative to the largest value of the
// vector (2e-4 for temperatures of 0.1 and scales of 64). Elements whose expected value is NaN are
// not compared.
void check_values(const std::string& family, int index, const Tensor& actual,
                  double f32_tolerance = 1e-5);

// f maps x to a loss: checks the loss against entry `loss` and its gradient against entry
// `gradient`; a negative index skips that check.
void check_vector(const std::string& family, int loss, int gradient, const Tensor& x,
                  const std::function<Tensor(const Tensor&)>& f, double f32_tolerance = 1e-5);
// The same from the shared logits.
void check_vector(const std::string& family, int loss, int gradient, Dtype dtype,
                  const std::function<Tensor(const Tensor&)>& f);

}  // namespace ditto::testing
