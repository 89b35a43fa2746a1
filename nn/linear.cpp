#include "nn/linear.h"

#include <cmath>

#include "autograd/ops/matmul.h"

namespace ditto::nn {

static double bound(int64_t in, int64_t out) {
  check(in >= 1 && out >= 1, "[linear] sizes must be positive:", in, out);
  return 1 / std::sqrt(static_cast<double>(in));
}

Linear::Linear(int64_t in, int64_t out, const LinearOptions& options)
    : weight_(
          parameter("weight", {out, in}, uniform(bound(in, out)),
                    options.flattened_image.empty() ? Layout::LinearWeight : Layout::LinearFlatten,
                    options.flattened_image)) {
  check(options.flattened_image.empty() ||
            (options.flattened_image.rank() == 3 && options.flattened_image.numel() == in),
        "[linear] flattened image", options.flattened_image, "does not have", in, "elements");
  if (options.bias) bias_ = &parameter("bias", {out}, uniform(bound(in, out)));
}

Tensor Linear::forward(const Tensor& x) { return linear(x, weight_, bias()); }

}  // namespace ditto::nn
