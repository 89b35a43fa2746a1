// Initialisers, and init(): fills a whole model from one seed.
#pragma once

#include "nn/module.h"

namespace ditto::nn {

// N(0, gain^2 / fan) with gain sqrt(2): He et al. 2015, Eq. 10 (fan in) and the fan-out form that
// ResNets use.
Initializer kaiming_normal(int64_t fan, double gain = 1.4142135623730951);
// U(-b, b), b = gain sqrt(3 / fan).
Initializer kaiming_uniform(int64_t fan, double gain = 1.4142135623730951);
// Glorot and Bengio 2010: N(0, 2 / (fan_in + fan_out)) and its uniform form.
Initializer xavier_normal(int64_t fan_in, int64_t fan_out);
Initializer xavier_uniform(int64_t fan_in, int64_t fan_out);
Initializer normal(double stddev);
Initializer uniform(double half_width);
Initializer zeros();
Initializer ones();

// Fills every parameter by its initialiser and seeds layers that draw random numbers. The numbers
// of a parameter depend on the seed and its dotted name alone, so adding a layer does not change
// the others.
void init(Module& module, uint64_t seed);

}  // namespace ditto::nn
