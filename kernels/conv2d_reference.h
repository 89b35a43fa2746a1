// The plain convolution loops, for f32 and f64: the f64 path of conv2d.h, and the truth that the
// fast f32 paths are tested against. Sums are accumulated in double, in an order that does not
// depend on the number of threads.
#pragma once

#include "kernels/conv2d.h"

namespace ditto::kernels {

// The contracts of conv2d_forward, conv2d_backward_data and conv2d_backward_weights.
void conv2d_forward_plain(CpuContext& ctx, const View& x, const View& w, const View& bias,
                          const View& y, const Conv2dParams& p);
void conv2d_backward_data_plain(CpuContext& ctx, const View& dy, const View& w, const View& dx,
                                const Conv2dParams& p);
void conv2d_backward_weights_plain(CpuContext& ctx, const View& dy, const View& x, const View& dw,
                                   const View& dbias, const Conv2dParams& p);

}  // namespace ditto::kernels
