#include "nn/dropout.h"

#include "autograd/ops/dropout.h"
#include "core/graph_capture.h"

namespace ditto::nn {

Dropout::Dropout(double p, uint64_t seed)
    : p_(p), seed_(seed), calls_(buffer("calls", Tensor::zeros({}, Dtype::I64), false)) {
  check(p >= 0 && p <= 1, "[dropout] p must be in [0, 1]:", p);
}

Tensor Dropout::forward(const Tensor& x) {
  if (!training()) return x;
  const auto next = [calls = calls_] {
    calls.storage()->bump_version();
    return (*calls.data<int64_t>())++;
  };
  kernels::RandomStream stream{.seed = seed_, .purpose = Purpose::Dropout};
  if (GraphCapture* capture = current_capture(); capture && x.device().is_cuda())
    stream.sample_at = capture->number(next);
  else
    stream.sample = static_cast<uint32_t>(next());
  return dropout(x, p_, stream);
}

}  // namespace ditto::nn
