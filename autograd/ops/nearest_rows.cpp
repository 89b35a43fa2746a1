#include "autograd/ops/nearest_rows.h"

#include "autograd/mixed_precision.h"
#include "autograd/ops/checks.h"
#include "core/on_device.h"
#include "kernels/nearest_rows.h"

namespace ditto {

Tensor nearest_rows(const Tensor& x, int64_t k) {
  check_rank("nearest_rows", x, 2);
  check(x.dim(1) >= 1 && k >= 1 && k < x.dim(0), "[nearest_rows] wants", k,
        "neighbours of the rows of", x.shape());
  const Tensor rows = widened(x.detach()).contiguous();
  Tensor index = Tensor::empty({x.dim(0), k}, Dtype::I64, x.device());
  on_device(x.device(), [&](auto& ctx) { kernels::nearest_rows(ctx, rows.view(), index.view()); });
  return index;
}

}  // namespace ditto
