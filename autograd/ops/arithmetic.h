// Elementwise functions of two tensors with NumPy broadcasting (f32 or f64, both of one dtype), and
// their operators.
//
// Formulas: kernels/binary_math.h. A number in place of a tensor stands for a scalar of the other's
// dtype.
#pragma once

#include "core/tensor.h"

namespace ditto {

Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, const Tensor& b);
Tensor pow(const Tensor& a, const Tensor& b);
Tensor pow(const Tensor& a, double exponent);
Tensor maximum(const Tensor& a, double b);
Tensor minimum(const Tensor& a, double b);
// 1 where a > b, else 0; no gradient flows through it.
Tensor greater(const Tensor& a, const Tensor& b);
Tensor greater(const Tensor& a, double b);
// min(max(x, low), high); gradient 1/2 where x equals a bound.
Tensor clamp(const Tensor& x, double low, double high);
// x for x > 0, else slope * x.
Tensor leaky_relu(const Tensor& x, double slope = 0.01);

// Sums x over the dimensions that broadcasting from `shape` would have repeated.
Tensor sum_to(const Tensor& x, const Shape& shape);

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
Tensor operator-(const Tensor& a);
Tensor operator+(const Tensor& a, double b);
Tensor operator-(const Tensor& a, double b);
Tensor operator*(const Tensor& a, double b);
Tensor operator/(const Tensor& a, double b);
Tensor operator+(double a, const Tensor& b);
Tensor operator-(double a, const Tensor& b);
Tensor operator*(double a, const Tensor& b);
Tensor operator/(double a, const Tensor& b);

}  // namespace ditto
