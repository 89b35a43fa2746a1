// Elementwise functions of two arguments: value and both partial derivatives, written once for both
// devices.
//
// `needs_inputs` false means the derivatives are constants and nothing is saved for the backward
// pass.
#pragma once

#include <cmath>

#include "kernels/host_device.h"

namespace ditto::math {

struct Add {
  static constexpr const char* name = "add";
  static constexpr bool needs_inputs = false;
  template <class T>
  static HD T f(T a, T b) {
    return a + b;
  }
  template <class T>
  static HD T da(T, T) {
    return T(1);
  }
  template <class T>
  static HD T db(T, T) {
    return T(1);
  }
};

struct Sub {
  static constexpr const char* name = "sub";
  static constexpr bool needs_inputs = false;
  template <class T>
  static HD T f(T a, T b) {
    return a - b;
  }
  template <class T>
  static HD T da(T, T) {
    return T(1);
  }
  template <class T>
  static HD T db(T, T) {
    return T(-1);
  }
};

struct Mul {
  static constexpr const char* name = "mul";
  static constexpr bool needs_inputs = true;
  template <class T>
  static HD T f(T a, T b) {
    return a * b;
  }
  template <class T>
  static HD T da(T, T b) {
    return b;
  }
  template <class T>
  static HD T db(T a, T) {
    return a;
  }
};

struct Div {
  static constexpr const char* name = "div";
  static constexpr bool needs_inputs = true;
  template <class T>
  static HD T f(T a, T b) {
    return a / b;
  }
  template <class T>
  static HD T da(T, T b) {
    return T(1) / b;
  }
  template <class T>
  static HD T db(T a, T b) {
    return -a / (b * b);
  }
};

// Ties share the gradient equally. NaN in either argument gives NaN.
struct Maximum {
  static constexpr const char* name = "maximum";
  static constexpr bool needs_inputs = true;
  template <class T>
  static HD T f(T a, T b) {
    return a != a ? a : (b > a || b != b ? b : a);
  }
  template <class T>
  static HD T da(T a, T b) {
    return a > b ? T(1) : (a == b ? T(0.5) : T(0));
  }
  template <class T>
  static HD T db(T a, T b) {
    return da(b, a);
  }
};

struct Minimum {
  static constexpr const char* name = "minimum";
  static constexpr bool needs_inputs = true;
  template <class T>
  static HD T f(T a, T b) {
    return a != a ? a : (b < a || b != b ? b : a);
  }
  template <class T>
  static HD T da(T a, T b) {
    return a < b ? T(1) : (a == b ? T(0.5) : T(0));
  }
  template <class T>
  static HD T db(T a, T b) {
    return da(b, a);
  }
};

// a^b. d/db is a^b log a, and 0 where a = 0 (as for b > 0).
struct Pow {
  static constexpr const char* name = "pow";
  static constexpr bool needs_inputs = true;
  template <class T>
  static HD T f(T a, T b) {
    return std::pow(a, b);
  }
  template <class T>
  static HD T da(T a, T b) {
    return b == T(0) ? T(0) : b * std::pow(a, b - T(1));
  }
  template <class T>
  static HD T db(T a, T b) {
    return a == T(0) ? T(0) : std::pow(a, b) * std::log(a);
  }
};

// a for a > 0, else b a; b is the slope.
struct LeakyRelu {
  static constexpr const char* name = "leaky_relu";
  static constexpr bool needs_inputs = true;
  template <class T>
  static HD T f(T a, T b) {
    return a > T(0) ? a : b * a;
  }
  template <class T>
  static HD T da(T a, T b) {
    return a > T(0) ? T(1) : b;
  }
  template <class T>
  static HD T db(T a, T) {
    return a > T(0) ? T(0) : a;
  }
};

// 1 where a > b, else 0, also for NaN: a choice between two formulas. Its derivatives are 0.
struct Greater {
  static constexpr const char* name = "greater";
  static constexpr bool needs_inputs = false;
  template <class T>
  static HD T f(T a, T b) {
    return a > b ? T(1) : T(0);
  }
  template <class T>
  static HD T da(T, T) {
    return T(0);
  }
  template <class T>
  static HD T db(T, T) {
    return T(0);
  }
};

}  // namespace ditto::math

namespace ditto {

using BinaryMath = TypeList<math::Add, math::Sub, math::Mul, math::Div, math::Maximum,
                            math::Minimum, math::Pow, math::LeakyRelu, math::Greater>;

template <class Op>
inline constexpr int binary_id = index_in<Op>(BinaryMath{});

}  // namespace ditto
