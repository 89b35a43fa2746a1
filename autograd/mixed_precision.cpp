#include "autograd/mixed_precision.h"

#include "autograd/ops/shape_ops.h"

namespace ditto {
namespace {

thread_local Dtype current = Dtype::F32;

}  // namespace

MixedPrecision::MixedPrecision(Dtype dtype) : previous_(current) {
  check(dtype == Dtype::F32 || dtype == Dtype::BF16, "[mixed_precision] bf16 or f32, got", dtype);
  current = dtype;
}
MixedPrecision::~MixedPrecision() { current = previous_; }

Dtype compute_dtype() { return current; }

Tensor to_compute_dtype(const Tensor& x) {
  if (!x.defined() || x.dtype() != Dtype::F32) return x;
  return cast(x, current);
}

Tensor widened(const Tensor& x) {
  return x.defined() && x.dtype() == Dtype::BF16 ? cast(x, Dtype::F32) : x;
}

}  // namespace ditto
