// Elementwise functions of one argument: value and derivative, written once for both devices.
//
// An op is a struct with a name, what its derivative is computed from (`saves`: the input, the
// output, or nothing), f(x) and df(v) with v the saved value. Add the struct, put it into
// UnaryMath, and give it a line in autograd/ops/activations.h: CPU kernel, CUDA kernel, autograd
// node and tests follow from the list.
#pragma once

#include <cmath>

#include "kernels/host_device.h"

namespace ditto::math {

enum class Saves { Input, Output, Nothing };

// max(x, 0); derivative 0 at 0 (the usual subgradient). NaN stays NaN.
struct Relu {
  static constexpr const char* name = "relu";
  static constexpr Saves saves = Saves::Output;
  template <class T>
  static HD T f(T x) {
    return x < T(0) ? T(0) : x;
  }
  template <class T>
  static HD T df(T y) {
    return y > T(0) ? T(1) : T(0);
  }
};

struct Neg {
  static constexpr const char* name = "neg";
  static constexpr Saves saves = Saves::Nothing;
  template <class T>
  static HD T f(T x) {
    return -x;
  }
  template <class T>
  static HD T df(T) {
    return T(-1);
  }
};

// |x|; derivative 0 at 0.
struct Abs {
  static constexpr const char* name = "abs";
  static constexpr Saves saves = Saves::Input;
  template <class T>
  static HD T f(T x) {
    return x < T(0) ? -x : x;
  }
  template <class T>
  static HD T df(T x) {
    return x > T(0) ? T(1) : (x < T(0) ? T(-1) : T(0));
  }
};

struct Exp {
  static constexpr const char* name = "exp";
  static constexpr Saves saves = Saves::Output;
  template <class T>
  static HD T f(T x) {
    return std::exp(x);
  }
  template <class T>
  static HD T df(T y) {
    return y;
  }
};

// Natural logarithm.
struct Log {
  static constexpr const char* name = "log";
  static constexpr Saves saves = Saves::Input;
  template <class T>
  static HD T f(T x) {
    return std::log(x);
  }
  template <class T>
  static HD T df(T x) {
    return T(1) / x;
  }
};

struct Sqrt {
  static constexpr const char* name = "sqrt";
  static constexpr Saves saves = Saves::Output;
  template <class T>
  static HD T f(T x) {
    return std::sqrt(x);
  }
  template <class T>
  static HD T df(T y) {
    return T(0.5) / y;
  }
};

// 1 / sqrt(x); derivative -y^3 / 2.
struct Rsqrt {
  static constexpr const char* name = "rsqrt";
  static constexpr Saves saves = Saves::Output;
  template <class T>
  static HD T f(T x) {
    return T(1) / std::sqrt(x);
  }
  template <class T>
  static HD T df(T y) {
    return T(-0.5) * y * y * y;
  }
};

struct Square {
  static constexpr const char* name = "square";
  static constexpr Saves saves = Saves::Input;
  template <class T>
  static HD T f(T x) {
    return x * x;
  }
  template <class T>
  static HD T df(T x) {
    return T(2) * x;
  }
};

struct Sin {
  static constexpr const char* name = "sin";
  static constexpr Saves saves = Saves::Input;
  template <class T>
  static HD T f(T x) {
    return std::sin(x);
  }
  template <class T>
  static HD T df(T x) {
    return std::cos(x);
  }
};

struct Cos {
  static constexpr const char* name = "cos";
  static constexpr Saves saves = Saves::Input;
  template <class T>
  static HD T f(T x) {
    return std::cos(x);
  }
  template <class T>
  static HD T df(T x) {
    return -std::sin(x);
  }
};

// Arc cosine of x, which is brought to [-1, 1] first; 1 - x^2 is at least 1e-12 in the derivative,
// which is infinite at +-1.
struct Acos {
  static constexpr const char* name = "acos";
  static constexpr Saves saves = Saves::Input;
  template <class T>
  static HD T f(T x) {
    return std::acos(x > T(1) ? T(1) : (x < T(-1) ? T(-1) : x));
  }
  template <class T>
  static HD T df(T x) {
    const T square = (T(1) - x) * (T(1) + x);
    return T(-1) / std::sqrt(square < T(1e-12) ? T(1e-12) : square);
  }
};

struct Tanh {
  static constexpr const char* name = "tanh";
  static constexpr Saves saves = Saves::Output;
  template <class T>
  static HD T f(T x) {
    return std::tanh(x);
  }
  template <class T>
  static HD T df(T y) {
    return T(1) - y * y;
  }
};

// 1 / (1 + exp(-x)), without overflow for either sign.
struct Sigmoid {
  static constexpr const char* name = "sigmoid";
  static constexpr Saves saves = Saves::Output;
  template <class T>
  static HD T f(T x) {
    const T e = std::exp(x < T(0) ? x : -x);
    return (x < T(0) ? e : T(1)) / (T(1) + e);
  }
  template <class T>
  static HD T df(T y) {
    return y * (T(1) - y);
  }
};

// log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)).
struct Softplus {
  static constexpr const char* name = "softplus";
  static constexpr Saves saves = Saves::Input;
  template <class T>
  static HD T f(T x) {
    return (x < T(0) ? T(0) : x) + std::log1p(std::exp(x < T(0) ? x : -x));
  }
  template <class T>
  static HD T df(T x) {
    return Sigmoid::f(x);
  }
};

// log(sigmoid(x)) = -softplus(-x).
struct LogSigmoid {
  static constexpr const char* name = "log_sigmoid";
  static constexpr Saves saves = Saves::Input;
  template <class T>
  static HD T f(T x) {
    return -Softplus::f(-x);
  }
  template <class T>
  static HD T df(T x) {
    return Sigmoid::f(-x);
  }
};

// x sigmoid(x), also called swish.
struct Silu {
  static constexpr const char* name = "silu";
  static constexpr Saves saves = Saves::Input;
  template <class T>
  static HD T f(T x) {
    return x * Sigmoid::f(x);
  }
  template <class T>
  static HD T df(T x) {
    const T s = Sigmoid::f(x);
    return s * (T(1) + x * (T(1) - s));
  }
};

// x Phi(x) with the exact normal distribution function (the erf form of Hendrycks and Gimpel,
// 2016).
struct Gelu {
  static constexpr const char* name = "gelu";
  static constexpr Saves saves = Saves::Input;
  template <class T>
  static HD T cdf(T x) {
    return T(0.5) * std::erfc(-x * T(0.70710678118654752));
  }
  template <class T>
  static HD T f(T x) {
    return x * cdf(x);
  }
  template <class T>
  static HD T df(T x) {
    return cdf(x) + x * std::exp(T(-0.5) * x * x) * T(0.39894228040143268);
  }
};

}  // namespace ditto::math

namespace ditto {

using UnaryMath = TypeList<math::Relu, math::Neg, math::Abs, math::Exp, math::Log, math::Sqrt,
                           math::Rsqrt, math::Square, math::Sin, math::Cos, math::Acos, math::Tanh,
                           math::Sigmoid, math::Softplus, math::LogSigmoid, math::Silu, math::Gelu>;

template <class Op>
inline constexpr int unary_id = index_in<Op>(UnaryMath{});

}  // namespace ditto
