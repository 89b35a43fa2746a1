// The seam behind conv2d.h: a provider is one way to compute the three convolutions, on checked
// sizes and bare pointers. conv2d.cpp picks one per call (conv2d_provider). Private to kernels.
#pragma once

#include "core/context.h"
#include "kernels/conv2d.h"
#include "kernels/host_device.h"

namespace ditto::kernels {

// All sizes of one convolution, checked. 64-bit integers without padding, so that a shape can key a
// cache.
struct Conv2dShape {
  int64_t n, h, w, c;  // x (N, H, W, C)
  int64_t o, kh, kw;   // w (O, kH, kW, C / groups)
  int64_t oh, ow;      // y (N, OH, OW, O)
  int64_t stride, padding, dilation, groups;

  HD int64_t group_inputs() const { return c / groups; }
  HD int64_t group_outputs() const { return o / groups; }
  int64_t weights() const { return o * kh * kw * group_inputs(); }
  friend bool operator==(const Conv2dShape&, const Conv2dShape&) = default;
};

// The checks of all three operations on `device`: x or dx, w or dw, bias or dbias, y or dy.
Conv2dShape checked_conv2d_shape(Device device, const View& x, const View& w, const View& bias,
                                 const View& y, const Conv2dParams& p);

// N >= 1, everything contiguous. bias and dbias may be null.
template <class T>
struct Conv2dProvider {
  const char* name;
  void (*forward)(CpuContext&, const Conv2dShape&, const T* x, const T* w, const T* bias, T* y);
  void (*backward_data)(CpuContext&, const Conv2dShape&, const T* dy, const T* w, T* dx);
  void (*backward_weights)(CpuContext&, const Conv2dShape&, const T* dy, const T* x, T* dw,
                           T* dbias);
};

// Our plain loops for float and double, both accumulating in double: conv2d_reference.cpp.
template <class T>
const Conv2dProvider<T>& plain_conv2d();

// oneDNN, f32; shapes for which it has no optimised code go to the plain loops: conv2d_onednn.cpp.
const Conv2dProvider<float>& onednn_conv2d();

}  // namespace ditto::kernels
