// 2-D convolution (cross-correlation, as every framework calls it). Formula and layouts:
// kernels/conv2d.h.
#pragma once

#include "core/tensor.h"
#include "kernels/conv2d.h"

namespace ditto {

using kernels::Conv2dParams;

// x (N, H, W, C), w (O, kH, kW, C / groups), bias (O) or undefined -> (N, OH, OW, O),
// OH = (H + 2 padding - dilation (kH - 1) - 1) / stride + 1.
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias = Tensor(),
              const Conv2dParams& params = {});

}  // namespace ditto
