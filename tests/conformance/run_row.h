// What the invariants of the conformance suite compare: a row's values and gradients.
#pragma once

#include "core/context.h"
#include "tests/conformance/row.h"

namespace ditto::testing {

struct Result {
  std::vector<double> value;
  std::vector<std::vector<double>> grads;  // empty for inputs without a gradient
};

// A gradient for y.
Tensor weights_for(const Tensor& y);
// Forward and backward with weights_for; the inputs' gradients are cleared again.
Result run(const Row& row, const Tensors& inputs);

bool same_bytes(const std::vector<double>& a, const std::vector<double>& b);
bool same_bytes(const Result& a, const Result& b);
// Largest difference relative to the largest value of b; infinite where a has a NaN.
double distance(const Result& a, const Result& b);

// cuDNN's fastest algorithms add up in the order of arrival; several checks compare bytes.
struct Deterministic {
  Deterministic() { set_deterministic(true); }
  ~Deterministic() { set_deterministic(false); }
};

}  // namespace ditto::testing
