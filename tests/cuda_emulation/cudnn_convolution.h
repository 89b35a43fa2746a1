// What the double of cuDNN (cudnn_double.cpp) computes: the descriptors, and one convolution by
// plain loops over any strides.
//
// Inputs are rounded to TF32 where the math type allows it, and algorithms that are not
// deterministic on hardware sum floats in an order of their own. bfloat16 (NHWC, computed in f32)
// is summed in float and rounded once; where FMA instructions alone are allowed nothing runs: it
// lives on the tensor cores.
#pragma once

#include <cudnn.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>

struct cudnnTensorStruct {
  bool set = false;
  cudnnDataType_t type{};
  cudnnTensorFormat_t format{};
  int n = 0, c = 0, h = 0, w = 0;
};
struct cudnnFilterStruct {
  bool set = false;
  cudnnDataType_t type{};
  cudnnTensorFormat_t format{};
  int k = 0, c = 0, h = 0, w = 0;
};
struct cudnnConvolutionStruct {
  bool set = false;
  int pad_h = 0, pad_w = 0, stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1, groups = 1;
  cudnnConvolutionMode_t mode{};
  cudnnDataType_t compute{};
  cudnnMathType_t math = CUDNN_DEFAULT_MATH;
};

namespace ditto::emulation {

enum class Pass { Forward, BackwardData, BackwardWeights };

struct Problem {
  Pass pass{};
  cudnnTensorStruct x, y;
  cudnnFilterStruct w;
  cudnnConvolutionStruct conv;

  bool wide() const { return x.type == CUDNN_DATA_DOUBLE; }
  bool narrow() const { return x.type == CUDNN_DATA_BFLOAT16; }
  size_t element() const { return wide() ? 8 : narrow() ? 2 : 4; }
  size_t x_bytes() const { return element() * static_cast<size_t>(x.n) * x.c * x.h * x.w; }
  size_t y_bytes() const { return element() * static_cast<size_t>(y.n) * y.c * y.h * y.w; }
  size_t w_bytes() const { return element() * static_cast<size_t>(w.k) * w.c * w.h * w.w; }
  // Different for every problem and algorithm.
  uint64_t hash(int algorithm) const {
    uint64_t hash = 0xcbf29ce484222325;
    for (int64_t value :
         {int64_t{static_cast<int>(pass)}, int64_t{algorithm}, int64_t{x.n}, int64_t{x.c},
          int64_t{x.h}, int64_t{x.w}, int64_t{w.k}, int64_t{w.h}, int64_t{w.w},
          int64_t{conv.stride_h}, int64_t{conv.groups}, int64_t{conv.dilation_h}}) {
      hash = (hash ^ static_cast<uint64_t>(value)) * 0x100000001b3;
      hash ^= hash >> 29;
    }
    return hash;
  }
};

// out = alpha * convolution of `first` (dy or x) and `second` (x or w) + beta * out. Deterministic
// algorithms sum f32 in double; others in float, beginning with image `first_image`.
void convolve(const Problem& problem, const void* first, const void* second, void* out,
              double alpha, double beta, bool deterministic, int64_t first_image);

}  // namespace ditto::emulation
