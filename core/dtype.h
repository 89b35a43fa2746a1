// Dtype: the element types a tensor can store.
//
// Arithmetic runs in f32 and f64; bf16 and f16 are stored and widened to f32 (decision A.13.1 in
// docs/design.md).
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>

#include "core/error.h"
#include "core/half.h"

namespace ditto {

enum class Dtype : uint8_t { F32, F64, BF16, F16, I32, I64, U8, Bool };

template <class T>
struct DtypeOf;
template <>
struct DtypeOf<float> {
  static constexpr Dtype value = Dtype::F32;
};
template <>
struct DtypeOf<double> {
  static constexpr Dtype value = Dtype::F64;
};
template <>
struct DtypeOf<BFloat16> {
  static constexpr Dtype value = Dtype::BF16;
};
template <>
struct DtypeOf<Float16> {
  static constexpr Dtype value = Dtype::F16;
};
template <>
struct DtypeOf<int32_t> {
  static constexpr Dtype value = Dtype::I32;
};
template <>
struct DtypeOf<int64_t> {
  static constexpr Dtype value = Dtype::I64;
};
template <>
struct DtypeOf<uint8_t> {
  static constexpr Dtype value = Dtype::U8;
};
template <>
struct DtypeOf<bool> {
  static constexpr Dtype value = Dtype::Bool;
};
template <class T>
inline constexpr Dtype dtype_of = DtypeOf<std::remove_cv_t<T>>::value;

// Bytes of one element.
constexpr int64_t size_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::F64:
    case Dtype::I64:
      return 8;
    case Dtype::F32:
    case Dtype::I32:
      return 4;
    case Dtype::BF16:
    case Dtype::F16:
      return 2;
    default:
      return 1;
  }
}

// "f32", "f64", "bf16", "f16", "i32", "i64", "u8", "bool".
std::string to_string(Dtype dtype);

// True for the dtypes that arithmetic and gradients run in; bf16 in the ops of mixed precision
// alone (autograd/mixed_precision.h), which compute in f32 inside.
constexpr bool is_floating(Dtype dtype) {
  return dtype == Dtype::F32 || dtype == Dtype::F64 || dtype == Dtype::BF16;
}

// Calls f(T{}) with float or double. Throws "[op] needs f32 or f64" for anything else.
template <class F>
decltype(auto) on_float(Dtype dtype, const char* op, F&& f) {
  switch (dtype) {
    case Dtype::F32:
      return f(float{});
    case Dtype::F64:
      return f(double{});
    default:
      fail(std::string("[") + op + "] needs dtype f32 or f64, got", dtype);
  }
}

// Calls f(T{}) with the C++ type that stores `dtype`.
template <class F>
decltype(auto) on_any(Dtype dtype, F&& f) {
  switch (dtype) {
    case Dtype::F32:
      return f(float{});
    case Dtype::F64:
      return f(double{});
    case Dtype::BF16:
      return f(BFloat16{});
    case Dtype::F16:
      return f(Float16{});
    case Dtype::I32:
      return f(int32_t{});
    case Dtype::I64:
      return f(int64_t{});
    case Dtype::U8:
      return f(uint8_t{});
    default:
      return f(bool{});
  }
}

}  // namespace ditto
