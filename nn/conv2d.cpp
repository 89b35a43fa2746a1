#include "nn/conv2d.h"

namespace ditto::nn {

static Shape weight_shape(int64_t in, int64_t out, int64_t kernel, int groups) {
  check(in >= 1 && out >= 1 && kernel >= 1 && groups >= 1,
        "[conv2d] sizes must be positive: in, out, kernel, groups =", in, out, kernel, groups);
  check(in % groups == 0 && out % groups == 0, "[conv2d] groups", groups, "do not divide", in,
        "and", out);
  return {out, kernel, kernel, in / groups};
}

Conv2d::Conv2d(int64_t in, int64_t out, int64_t kernel, const Conv2dOptions& options)
    : params_{options.stride, options.padding, options.dilation, options.groups},
      weight_(parameter("weight", weight_shape(in, out, kernel, options.groups),
                        kaiming_normal(out * kernel * kernel / options.groups),
                        Layout::ConvWeight)) {
  if (options.bias) bias_ = &parameter("bias", {out}, zeros());
}

Tensor Conv2d::forward(const Tensor& x) {
  return conv2d(x, weight_, bias_ ? *bias_ : Tensor(), params_);
}

}  // namespace ditto::nn
