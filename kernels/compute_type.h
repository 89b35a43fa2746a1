// ComputeType: what a kernel computes with when it stores T. bf16 is a storage type: kernels widen
// it to f32 as they load, keep sums and per-channel values in f32, and round once as they store.
#pragma once

#include <type_traits>
#include <utility>

#include "core/convert.h"
#include "core/dtype.h"

namespace ditto::kernels {

template <class T>
struct ComputeTypeOf {
  using type = T;
};
template <>
struct ComputeTypeOf<BFloat16> {
  using type = float;
};
template <class T>
using ComputeType = typename ComputeTypeOf<T>::type;

template <class T>
HD ComputeType<T> widen(T value) {
  return convert<ComputeType<T>>(value);
}
template <class T>
HD T narrow(ComputeType<T> value) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  if constexpr (std::is_same_v<T, BFloat16>) {
    // One instruction in place of eight; the same bits, but for those of a NaN.
    BFloat16 rounded;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(rounded.bits) : "f"(value));
    return rounded;
  }
#endif
  return convert<T>(value);
}

// Calls f(T{}) with float, double or BFloat16. Throws "[op] needs ..." for anything else.
template <class F>
decltype(auto) on_float_or_bf16(Dtype dtype, const char* op, F&& f) {
  if (dtype == Dtype::BF16) return f(BFloat16{});
  return on_float(dtype, op, std::forward<F>(f));
}

}  // namespace ditto::kernels
