// Mixed precision: convolutions and matrix products in bfloat16, everything that is kept in f32.
//
// While a MixedPrecision is alive on a thread, conv2d, linear and matmul round their f32 arguments
// to bf16 and return bf16; batch norm, pooling and elementwise functions take what they are given
// and compute in f32 inside; softmax, losses and dense blocks widen to f32 first. Parameters,
// running statistics, optimizer state and the gradients of parameters stay f32 (the rounding is a
// recorded cast, whose gradient is widened). bf16 has f32's range, so the loss needs no scaling.
// Source: Micikevicius et al. 2018, sections 3.1 and 3.3; Kalamkar et al. 2019 for bf16.
#pragma once

#include "core/tensor.h"

namespace ditto {

class MixedPrecision {
 public:
  // `dtype`: BF16, or F32 for no change.
  explicit MixedPrecision(Dtype dtype);
  ~MixedPrecision();
  MixedPrecision(const MixedPrecision&) = delete;
  MixedPrecision& operator=(const MixedPrecision&) = delete;

 private:
  Dtype previous_;
};

// That of the innermost MixedPrecision of this thread, or F32.
Dtype compute_dtype();
// What conv2d, linear and matmul compute with: x in bf16 where x is f32 and a MixedPrecision is
// alive, else x (also undefined).
Tensor to_compute_dtype(const Tensor& x);
// For functions that need f32's precision: bf16 as f32, anything else as it is.
Tensor widened(const Tensor& x);

}  // namespace ditto
