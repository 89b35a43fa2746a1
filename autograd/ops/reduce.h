// Reductions (f32 or f64; sums accumulate in double).
#pragma once

#include "core/tensor.h"

namespace ditto {

// Over everything: a scalar. An empty sum is 0; an empty mean throws.
Tensor sum(const Tensor& x);
Tensor mean(const Tensor& x);
// Over one dimension (negative counts from the end). keepdim keeps it with size 1.
Tensor sum(const Tensor& x, int dim, bool keepdim = false);
Tensor mean(const Tensor& x, int dim, bool keepdim = false);

// Largest element along `dim` and its first position (i64, not differentiable). NaN wins. An empty
// dimension throws.
struct MaxResult {
  Tensor values, indices;
};
MaxResult max(const Tensor& x, int dim, bool keepdim = false);
// max(x, dim).indices without recording.
Tensor argmax(const Tensor& x, int dim, bool keepdim = false);

}  // namespace ditto
