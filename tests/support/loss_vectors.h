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

// Z: the shared logits, 4 x 3.
Tensor shared_logits(Dtype dtype);

// Expected agreement: 1e-9 in f64 and 1e-5 in f32, relative to the largest value of the vector.
void check_values(const std::string& family, int index, const Tensor& actual);

// f maps the shared logits to a loss: checks the loss against entry `loss` and its gradient against
// entry `gradient`.
void check_vector(const std::string& family, int loss, int gradient, Dtype dtype,
                  const std::function<Tensor(const Tensor&)>& f);

}  // namespace ditto::testing
