// What the losses of the softmax family make of nll = -log p_c: value and derivative, once for both
// devices.
//
// One skeleton serves them all (kernels/softmax.h): L = sum_c y_c f(-log p_c), whose gradient is
// (sum_c y_c f'(-log p_c)) p - y f'(-log p), with a hard label f'(-log p_y) (p - onehot). f is all
// that differs. -log p comes from a log-sum-exp, so f never sees a probability that underflowed.
#pragma once

#include <cmath>

#include "kernels/host_device.h"

namespace ditto::kernels {

struct NllFunction {
  enum class Kind {
    Identity,  // cross-entropy
    Power,     // expm1(a nll) / a, a != 0; constant from nll = cap on
    Focal      // (1 - p)^a nll, a >= 0
  };
  Kind kind = Kind::Identity;
  double a = 0;
  double cap = INFINITY;
};

template <class T>
struct NllIdentity {
  static constexpr bool identity = true;
  explicit NllIdentity(const NllFunction&) {}
  HD T value(T nll) const { return nll; }
  HD T slope(T) const { return T(1); }
};

// Exponents above 60 (p below e^-60 at a = 1) continue in a straight line: the gradient's factor
// e^60 = 1e26 leaves room in f32 for a sum over rows, where the true one would become infinite. NaN
// stays NaN.
template <class T>
struct NllPower {
  static constexpr bool identity = false;
  T a, cap;
  explicit NllPower(const NllFunction& f) : a(static_cast<T>(f.a)), cap(static_cast<T>(f.cap)) {}
  HD T value(T nll) const {
    const T e = a * (nll >= cap ? cap : nll), limit = T(60);
    if (e > limit) return (std::expm1(limit) + (e - limit) * std::exp(limit)) / a;
    return std::expm1(e) / a;
  }
  HD T slope(T nll) const {
    const T e = a * nll, limit = T(60);
    return nll >= cap ? T(0) : std::exp(e > limit ? limit : e);
  }
};

// With q = 1 - p = -expm1(-nll): f' = q^a (1 + a p nll / q), where nll / q -> 1 as p -> 1.
template <class T>
struct NllFocal {
  static constexpr bool identity = false;
  T a;
  explicit NllFocal(const NllFunction& f) : a(static_cast<T>(f.a)) {}
  HD T power(T q) const {
    if (q <= T(0)) return a == T(0) ? T(1) : T(0);
    return std::exp(a * std::log(q));
  }
  HD T value(T nll) const {
    const T q = -std::expm1(-nll);
    return power(q) * nll;
  }
  HD T slope(T nll) const {
    const T q = -std::expm1(-nll), p = T(1) - q;
    const T ratio = q <= T(0) ? T(1) : nll / q;
    return power(q) * (p <= T(0) ? T(1) : T(1) + a * p * ratio);
  }
};

// Calls call(functor) with the functor of `f` in precision T.
template <class T, class Call>
void with_nll_function(const NllFunction& f, Call&& call) {
  switch (f.kind) {
    case NllFunction::Kind::Identity:
      return call(NllIdentity<T>(f));
    case NllFunction::Kind::Power:
      return call(NllPower<T>(f));
    case NllFunction::Kind::Focal:
      return call(NllFocal<T>(f));
  }
}

}  // namespace ditto::kernels
