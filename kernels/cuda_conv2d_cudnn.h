// cuDNN's convolution calls: the descriptors of a shape, and the three operations under one set of
// names. Private to cuda_conv2d.cpp, whose comment says why these calls.
#pragma once

#include <cudnn.h>

#include <memory>
#include <string>

#include "core/cuda_context.h"
#include "kernels/conv2d_provider.h"

namespace ditto::kernels {

inline void cudnn_check(cudnnStatus_t status, Literal call, const Conv2dShape& s) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  throw_error(
      Message("[conv2d] " + std::string(call.text) + " failed: " + cudnnGetErrorString(status) +
                  " for x, w, stride, padding, dilation, groups",
              call.file, call.line),
      {to_string(Shape{s.n, s.h, s.w, s.c}), to_string(Shape{s.o, s.kh, s.kw, s.c / s.groups}),
       std::to_string(s.stride), std::to_string(s.padding), std::to_string(s.dilation),
       std::to_string(s.groups)});
}

// The four descriptors of a convolution.
class Descriptors {
 public:
  Descriptors(const Conv2dShape& s, bool bf16, bool tf32) {
    const cudnnDataType_t type = bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
    const auto i = [](int64_t value) { return static_cast<int>(value); };
    cudnnTensorDescriptor_t tensors[2] = {};
    for (int t = 0; t < 2; ++t) {
      cudnn_check(cudnnCreateTensorDescriptor(&tensors[t]), "cudnnCreateTensorDescriptor", s);
      (t == 0 ? x_ : y_).reset(tensors[t]);
    }
    cudnnFilterDescriptor_t filter = nullptr;
    cudnn_check(cudnnCreateFilterDescriptor(&filter), "cudnnCreateFilterDescriptor", s);
    w_.reset(filter);
    cudnnConvolutionDescriptor_t convolution = nullptr;
    cudnn_check(cudnnCreateConvolutionDescriptor(&convolution), "cudnnCreateConvolutionDescriptor",
                s);
    convolution_.reset(convolution);
    cudnn_check(
        cudnnSetTensor4dDescriptor(x(), CUDNN_TENSOR_NHWC, type, i(s.n), i(s.c), i(s.h), i(s.w)),
        "cudnnSetTensor4dDescriptor of x", s);
    cudnn_check(
        cudnnSetTensor4dDescriptor(y(), CUDNN_TENSOR_NHWC, type, i(s.n), i(s.o), i(s.oh), i(s.ow)),
        "cudnnSetTensor4dDescriptor of y", s);
    cudnn_check(cudnnSetFilter4dDescriptor(w(), type, CUDNN_TENSOR_NHWC, i(s.o),
                                           i(s.group_inputs()), i(s.kh), i(s.kw)),
                "cudnnSetFilter4dDescriptor", s);
    cudnn_check(cudnnSetConvolution2dDescriptor(
                    this->convolution(), i(s.padding), i(s.padding), i(s.stride), i(s.stride),
                    i(s.dilation), i(s.dilation), CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
                "cudnnSetConvolution2dDescriptor", s);
    cudnn_check(cudnnSetConvolutionGroupCount(this->convolution(), i(s.groups)),
                "cudnnSetConvolutionGroupCount", s);
    // The default lets f32 be rounded to TF32 on the way to the tensor cores.
    cudnn_check(cudnnSetConvolutionMathType(this->convolution(), bf16   ? CUDNN_TENSOR_OP_MATH
                                                                 : tf32 ? CUDNN_DEFAULT_MATH
                                                                        : CUDNN_FMA_MATH),
                "cudnnSetConvolutionMathType", s);
  }

  cudnnTensorDescriptor_t x() const { return x_.get(); }
  cudnnTensorDescriptor_t y() const { return y_.get(); }
  cudnnFilterDescriptor_t w() const { return w_.get(); }
  cudnnConvolutionDescriptor_t convolution() const { return convolution_.get(); }

 private:
  template <auto destroy>
  struct Destroy {
    template <class T>
    void operator()(T* descriptor) const {
      destroy(descriptor);
    }
  };
  template <class Handle, auto destroy>
  using Owner = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy<destroy>>;

  Owner<cudnnTensorDescriptor_t, cudnnDestroyTensorDescriptor> x_, y_;
  Owner<cudnnFilterDescriptor_t, cudnnDestroyFilterDescriptor> w_;
  Owner<cudnnConvolutionDescriptor_t, cudnnDestroyConvolutionDescriptor> convolution_;
};

// What the three operations call alike, under the names of the one in hand.
struct Forward {
  static constexpr int64_t kNumber = 0;
  static constexpr const char *kName = "forward", *kCall = "cudnnConvolutionForward";
  using Perf = cudnnConvolutionFwdAlgoPerf_t;
  static constexpr int kCount = CUDNN_CONVOLUTION_FWD_ALGO_COUNT;
  static cudnnStatus_t rank(cudnnHandle_t h, const Descriptors& d, int count, int* found, Perf* p) {
    return cudnnGetConvolutionForwardAlgorithm_v7(h, d.x(), d.w(), d.convolution(), d.y(), count,
                                                  found, p);
  }
  static cudnnStatus_t workspace(cudnnHandle_t h, const Descriptors& d, int algo, size_t* bytes) {
    return cudnnGetConvolutionForwardWorkspaceSize(h, d.x(), d.w(), d.convolution(), d.y(),
                                                   cudnnConvolutionFwdAlgo_t(algo), bytes);
  }
  // inputs: x, w; output: y.
  static cudnnStatus_t run(cudnnHandle_t h, const Descriptors& d, int algo, const void* x,
                           const void* w, void* y, void* space, size_t bytes) {
    const float one = 1, zero = 0;
    return cudnnConvolutionForward(h, &one, d.x(), x, d.w(), w, d.convolution(),
                                   cudnnConvolutionFwdAlgo_t(algo), space, bytes, &zero, d.y(), y);
  }
};
struct BackwardData {
  static constexpr int64_t kNumber = 1;
  static constexpr const char *kName = "backward_data", *kCall = "cudnnConvolutionBackwardData";
  using Perf = cudnnConvolutionBwdDataAlgoPerf_t;
  static constexpr int kCount = CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT;
  static cudnnStatus_t rank(cudnnHandle_t h, const Descriptors& d, int count, int* found, Perf* p) {
    return cudnnGetConvolutionBackwardDataAlgorithm_v7(h, d.w(), d.y(), d.convolution(), d.x(),
                                                       count, found, p);
  }
  static cudnnStatus_t workspace(cudnnHandle_t h, const Descriptors& d, int algo, size_t* bytes) {
    return cudnnGetConvolutionBackwardDataWorkspaceSize(h, d.w(), d.y(), d.convolution(), d.x(),
                                                        cudnnConvolutionBwdDataAlgo_t(algo), bytes);
  }
  // inputs: dy, w; output: dx.
  static cudnnStatus_t run(cudnnHandle_t h, const Descriptors& d, int algo, const void* dy,
                           const void* w, void* dx, void* space, size_t bytes) {
    const float one = 1, zero = 0;
    return cudnnConvolutionBackwardData(h, &one, d.w(), w, d.y(), dy, d.convolution(),
                                        cudnnConvolutionBwdDataAlgo_t(algo), space, bytes, &zero,
                                        d.x(), dx);
  }
};
struct BackwardWeights {
  static constexpr int64_t kNumber = 2;
  static constexpr const char *kName = "backward_weights",
                              *kCall = "cudnnConvolutionBackwardFilter";
  using Perf = cudnnConvolutionBwdFilterAlgoPerf_t;
  static constexpr int kCount = CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT;
  static cudnnStatus_t rank(cudnnHandle_t h, const Descriptors& d, int count, int* found, Perf* p) {
    return cudnnGetConvolutionBackwardFilterAlgorithm_v7(h, d.x(), d.y(), d.convolution(), d.w(),
                                                         count, found, p);
  }
  static cudnnStatus_t workspace(cudnnHandle_t h, const Descriptors& d, int algo, size_t* bytes) {
    return cudnnGetConvolutionBackwardFilterWorkspaceSize(
        h, d.x(), d.y(), d.convolution(), d.w(), cudnnConvolutionBwdFilterAlgo_t(algo), bytes);
  }
  // inputs: dy, x; output: dw.
  static cudnnStatus_t run(cudnnHandle_t h, const Descriptors& d, int algo, const void* dy,
                           const void* x, void* dw, void* space, size_t bytes) {
    const float one = 1, zero = 0;
    return cudnnConvolutionBackwardFilter(h, &one, d.x(), x, d.y(), dy, d.convolution(),
                                          cudnnConvolutionBwdFilterAlgo_t(algo), space, bytes,
                                          &zero, d.w(), dw);
  }
};

}  // namespace ditto::kernels
