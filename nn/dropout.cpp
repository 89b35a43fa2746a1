#include "nn/dropout.h"

#include "autograd/ops/dropout.h"

namespace ditto::nn {

Dropout::Dropout(double p, uint64_t seed)
    : p_(p), seed_(seed), calls_(buffer("calls", Tensor::zeros({}, Dtype::I64), false)) {
  check(p >= 0 && p <= 1, "[dropout] p must be in [0, 1]:", p);
}

Tensor Dropout::forward(const Tensor& x) {
  if (!training()) return x;
  const int64_t call = (*calls_.data<int64_t>())++;
  calls_.storage()->bump_version();
  return dropout(
      x, p_, {.seed = seed_, .purpose = Purpose::Dropout, .sample = static_cast<uint32_t>(call)});
}

}  // namespace ditto::nn
