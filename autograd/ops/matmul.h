// Matrix products.
#pragma once

#include "core/tensor.h"

namespace ditto {

// a (M, K), b (K, N) -> (M, N).
Tensor matmul(const Tensor& a, const Tensor& b);

// y = x w^T + bias. x (..., I), w (O, I) as in PyTorch, bias (O) or undefined -> (..., O).
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias = Tensor());

}  // namespace ditto
