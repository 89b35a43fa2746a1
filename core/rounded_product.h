// rounded_product: a product that stays one.
//
// g++ and nvcc may fuse a product into the sum that follows it, each where it likes, so that the
// last bit of a * b + c differs between the CPU, the GPU and two places of one program. Where a
// decision hangs on such a bit (which of two nearly equal pairs is taken, whether a pixel is
// inside) every product is this one or part of a std::fma: what is left to the compiler is nothing.
#pragma once

#include <cmath>

#include "core/host_device.h"

namespace ditto {

// a * b, rounded once. (No compiler may drop the sum: it makes +0 of -0.)
HD double rounded_product(double a, double b) { return std::fma(a, b, 0.0); }

}  // namespace ditto
