#include "autograd/ops/dropout.h"

#include "autograd/ops/arithmetic.h"
#include "autograd/ops/checks.h"
#include "core/on_device.h"

namespace ditto {

Tensor dropout(const Tensor& x, double p, const kernels::RandomStream& stream) {
  check_floating("dropout", x);
  check(p >= 0 && p <= 1, "[dropout] p must be in [0, 1]:", p);
  if (p == 0) return x;
  Tensor mask = Tensor::empty(x.shape(), x.dtype(), x.device());
  on_device(x.device(),
            [&](auto& ctx) { kernels::fill_dropout_mask(ctx, stream, p, mask.view()); });
  return mul(x, mask);
}

}  // namespace ditto
