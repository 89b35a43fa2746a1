// gradcheck: compares backward with central differences, in f64.
#pragma once

#include <functional>
#include <string>

#include "core/tensor.h"

namespace ditto {

struct GradcheckOptions {
  double eps = 1e-6;   // step of the central difference
  double atol = 1e-7;  // |analytic - numeric| <= atol + rtol * |numeric|
  double rtol = 1e-5;
};

struct GradcheckResult {
  bool ok = true;
  double worst = 0;     // largest |analytic - numeric|
  std::string message;  // names input, element, analytic and numeric value of the worst element
};

// f maps the inputs (f64; those with requires_grad are checked) to one tensor of any shape. The
// output is contracted with fixed pseudo-random weights, so every output element takes part. Also
// fails when two backward passes differ in a bit, when a zero output gradient gives a non-zero
// gradient, or when a gradient has another shape than its input.
GradcheckResult gradcheck(const std::function<Tensor(const Tensors&)>& f, const Tensors& inputs,
                          const GradcheckOptions& options = {});

}  // namespace ditto
