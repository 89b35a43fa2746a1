// Operations that move elements without changing them. Any dtype unless said otherwise; gradients
// flow for f32 and f64.
#pragma once

#include "core/tensor.h"

namespace ditto {

// Same elements in row-major order under a new shape; one size may be -1. Shares storage where x is
// contiguous.
Tensor reshape(const Tensor& x, Shape shape);
// (d0, ..., dn) -> (d0, ..., d_{start-1}, product of the rest).
Tensor flatten(const Tensor& x, int start_dim = 1);
// Dimension i of the result is dimension order[i] of x; contiguous result.
Tensor permute(const Tensor& x, const Shape& order);
// Swaps two dimensions.
Tensor transpose(const Tensor& x, int a, int b);
// Elements begin, begin + step, ... < end along `dim`; begin and end may be negative and are
// clamped as in NumPy; step >= 1.
Tensor slice(const Tensor& x, int dim, int64_t begin, int64_t end, int64_t step = 1);
// Joins along `dim`; all other sizes and the dtypes agree. At least one tensor.
Tensor concat(const Tensors& tensors, int dim);
// Adds `before` and `after` elements of `value` along each dimension (rank entries each, >= 0).
Tensor pad(const Tensor& x, const Shape& before, const Shape& after, double value = 0);
// Repeats x to `shape` by broadcasting; the gradient is summed back.
Tensor broadcast_to(const Tensor& x, const Shape& shape);
// A contiguous copy where needed; x itself otherwise.
Tensor contiguous(const Tensor& x);
// Copy (differentiable).
Tensor clone(const Tensor& x);
// Converts between dtypes; gradients flow between f32 and f64.
Tensor cast(const Tensor& x, Dtype dtype);

}  // namespace ditto
