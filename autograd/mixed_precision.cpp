#include "autograd/mixed_precision.h"

#include "autograd/ops/shape_ops.h"

namespace ditto {
namespace {

thread_local Dtype compute_dtype = Dtype::F32;

}  // namespace

MixedPrecision::MixedPrecision(Dtype dtype) : previous_(compute_dtype) {
  check(dtype == Dtype::F32 || dtype == Dtype::BF16, "[mixed_precision] bf16 or f32, got", dtype);
  compute_dtype = dtype;
}
MixedPrecision::~MixedPrecision() { compute_dtype = previous_; }

Tensor to_compute_dtype(const Tensor& x) {
  if (!x.defined() || x.dtype() != Dtype::F32) return x;
  return cast(x, compute_dtype);
}

Tensor widened(const Tensor& x) {
  return x.defined() && x.dtype() == Dtype::BF16 ? cast(x, Dtype::F32) : x;
}

}  // namespace ditto
