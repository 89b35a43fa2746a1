// Optimizer updates of one element, written once for both devices. Each struct is the options plus
// `update`.
//
// Sources: SGD as in PyTorch's documentation (Sutskever et al. 2013 for Nesterov), Adam: Kingma and
// Ba 2015, decoupled decay: Loshchilov and Hutter 2019.
#pragma once

#include <cmath>

#include "kernels/host_device.h"

namespace ditto::math {

// d = g + weight_decay * w (coupled) ; v = momentum * v + d ; w -= lr * (nesterov ? d + momentum *
// v : v). Decoupled: w is first scaled by 1 - lr * weight_decay and d = g.
struct SgdUpdate {
  double lr, momentum, weight_decay;
  bool nesterov, decoupled;

  template <class T>
  HD void update(T& w, T grad, T& velocity) const {
    T d = grad;
    if (decoupled)
      w -= static_cast<T>(lr * weight_decay) * w;
    else
      d += static_cast<T>(weight_decay) * w;
    const T mu = static_cast<T>(momentum);
    velocity =
        mu * velocity + d;  // a fresh state is 0, so the first step sets v = d as PyTorch does
    w -= static_cast<T>(lr) * (nesterov ? d + mu * velocity : velocity);
  }
};

// m = b1 m + (1 - b1) g ; v = b2 v + (1 - b2) g^2 ; w -= lr * mhat / (sqrt(vhat) + eps).
struct AdamUpdate {
  double lr, beta1, beta2, eps, weight_decay;
  bool decoupled;
  double correction1, correction2;  // 1 - beta^t

  template <class T>
  HD void update(T& w, T grad, T& m, T& v) const {
    T g = grad;
    if (decoupled)
      w -= static_cast<T>(lr * weight_decay) * w;
    else
      g += static_cast<T>(weight_decay) * w;
    m = static_cast<T>(beta1) * m + static_cast<T>(1 - beta1) * g;
    v = static_cast<T>(beta2) * v + static_cast<T>(1 - beta2) * g * g;
    const T root = static_cast<T>(std::sqrt(correction2));
    const T denominator = std::sqrt(v) / root + static_cast<T>(eps);
    w -= static_cast<T>(lr / correction1) * m / denominator;
  }
};

// average += (1 - decay) (value - average): an exponential moving average.
struct EmaUpdate {
  double decay;

  template <class T>
  HD void update(T value, T& average) const {
    average += static_cast<T>(1 - decay) * (value - average);
  }
};

}  // namespace ditto::math
