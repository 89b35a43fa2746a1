#include "nn/head.h"

#include <cmath>

#include "autograd/mixed_precision.h"
#include "autograd/ops/arithmetic.h"
#include "autograd/ops/l2_normalize.h"
#include "autograd/ops/matmul.h"

namespace ditto::nn {

CosineLinear::CosineLinear(int64_t in, int64_t out, double scale)
    : Linear(in, out, LinearOptions{.bias = false, .flattened_image = {}}), scale_(scale) {
  check(std::isfinite(scale) && scale > 0, "[cosine_linear] the scale is", scale);
}

Tensor CosineLinear::forward(const Tensor& x) {
  return widened(linear(l2_normalize(widened(x)), l2_normalize(widened(weight())))) * scale_;
}

}  // namespace ditto::nn
