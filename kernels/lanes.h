// Lanes: eight floats or four doubles computed with at once, and the few functions that row
// kernels need of a number and of lanes alike.
//
// A kernel whose arithmetic is a generic lambda runs on lanes on the CPU and on single numbers in a
// CUDA thread. Explicit lanes instead of auto-vectorised loops: GCC does not vectorise conditions
// around exponentials, whatever the pragma. A source that uses lanes is compiled with -Wno-psabi:
// they pass between inlined functions only.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/host_device.h"

namespace ditto::kernels {

// The element type of lanes, or the type of a single number.
template <class V>
struct ScalarOf {
  using type = V;
};

template <class C, class V>
HD V select(C condition, V yes, V no) {
  return condition ? yes : no;
}

#ifdef __CUDACC__

HD double bounded_exp(double x) { return exp(x < -708 ? -708.0 : x > 708 ? 708.0 : x); }
HD float bounded_exp(float x) { return expf(x < -87.3f ? -87.3f : x > 88.0f ? 88.0f : x); }

#else

// Of one AVX register: wider lanes would live in memory where the processor is not built for them.
inline constexpr int kLaneBytes = 32;
using FloatLanes [[gnu::vector_size(kLaneBytes)]] = float;
using DoubleLanes [[gnu::vector_size(kLaneBytes)]] = double;
using IntLanes [[gnu::vector_size(kLaneBytes)]] = int32_t;

template <>
struct ScalarOf<FloatLanes> {
  using type = float;
};
template <>
struct ScalarOf<DoubleLanes> {
  using type = double;
};
template <class T>
using LanesOf = std::conditional_t<std::is_same_v<T, float>, FloatLanes, DoubleLanes>;
template <class T>
inline constexpr int64_t kLanesOf = kLaneBytes / sizeof(T);

// e^x, never infinite: x beyond the range of the type counts as its end. NaN stays. In f32 within
// 1e-7 of e^x: argument reduction x = k log 2 + f by adding 1.5 * 2^23, log 2 in two parts (Cody
// and Waite), and the polynomial of Cephes' expf on |f| <= log(2) / 2.
template <class V>
inline V bounded_exp(V x) {
  if constexpr (std::is_same_v<V, double>) {
    return std::exp(x < -708 ? -708.0 : x > 708 ? 708.0 : x);
  } else if constexpr (std::is_same_v<V, float>) {
    return std::exp(x < -87.3f ? -87.3f : x > 88.0f ? 88.0f : x);
  } else if constexpr (std::is_same_v<V, DoubleLanes>) {
    for (int lane = 0; lane < kLaneBytes / 8; ++lane)
      x[lane] = bounded_exp(static_cast<double>(x[lane]));
    return x;
  } else {
    const V low = V{} - 87.3f, high = V{} + 88.0f;
    const V t = select(x < low, low, select(x > high, high, x));
    const float shift = 12582912.0f;
    const V shifted = t * 1.44269504f + shift;
    const V k = shifted - shift;
    const V f = (t - k * 0.693359375f) + k * 2.12194440e-4f;
    V p = f * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * f + 8.3334519073e-3f;
    p = p * f + 4.1665795894e-2f;
    p = p * f + 1.6666665459e-1f;
    p = p * f + 5.0000001201e-1f;
    p = p * (f * f) + f + 1.0f;
    IntLanes bits, exponent;
    std::memcpy(&bits, &p, sizeof bits);
    std::memcpy(&exponent, &shifted, sizeof exponent);
    bits += exponent << 23;
    std::memcpy(&p, &bits, sizeof bits);
    return select(x != x, x, p);
  }
}

#endif

// log(1 + x), 0 <= x <= 1. NaN stays. Lanes in f32 within 2e-7 of it, relatively: 2 atanh(z), z =
// x / (2 + x) <= 1/3, whose series is below that after eight terms.
template <class V>
HD V log_of_one_plus(V x) {
#ifndef __CUDACC__
  if constexpr (std::is_same_v<V, FloatLanes>) {
    const V z = x / (x + 2.0f), w = z * z;
    V p = w * (1 / 15.0f) + 1 / 13.0f;
    p = p * w + 1 / 11.0f;
    p = p * w + 1 / 9.0f;
    p = p * w + 1 / 7.0f;
    p = p * w + 1 / 5.0f;
    p = p * w + 1 / 3.0f;
    return (p * w * z + z) * 2.0f;
  } else if constexpr (!std::is_floating_point_v<V>) {
    constexpr int kLanes = sizeof(V) / sizeof(x[0]);
    for (int lane = 0; lane < kLanes; ++lane) x[lane] = std::log1p(x[lane]);
    return x;
  } else {
    return std::log1p(x);
  }
#else
  return log1p(x);
#endif
}

// x >= 0.
template <class V>
HD V square_root(V x) {
#ifndef __CUDACC__
  if constexpr (!std::is_floating_point_v<V>) {
    constexpr int kLanes = sizeof(V) / sizeof(x[0]);
    for (int lane = 0; lane < kLanes; ++lane) x[lane] = std::sqrt(x[lane]);
    return x;
  } else {
    return std::sqrt(x);
  }
#else
  return sqrt(x);
#endif
}

// x where the condition holds, else 0; x where it holds, else -infinity: the neutral elements of a
// sum and of a maximum.
template <class C, class V>
HD V keep_if(C condition, V x) {
  return select(condition, x, V{});
}
template <class C, class V>
HD V or_lowest(C condition, V x) {
  using T = typename ScalarOf<V>::type;
  return select(condition, x, V{} - static_cast<T>(INFINITY));
}

}  // namespace ditto::kernels
