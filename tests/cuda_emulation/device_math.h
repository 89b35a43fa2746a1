// Device functions of CUDA C++ that compute: fast-math intrinsics, bit operations, conversions. The
// fast ones are computed exactly here; on a GPU they are off by some ulp.
//
// Reference: CUDA Math API, "Single precision intrinsics", "Integer intrinsics", "Type casting".
#pragma once

#include <math.h>  // the global names, as nvcc offers them

#include <bit>
#include <climits>
#include <cmath>
#include <cstdint>

inline float rsqrtf(float x) { return 1.0f / ::sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / ::sqrt(x); }
inline float rcbrtf(float x) { return 1.0f / ::cbrtf(x); }
inline float sinpif(float x) { return static_cast<float>(::sin(M_PI * x)); }
inline float cospif(float x) { return static_cast<float>(::cos(M_PI * x)); }
inline double sinpi(double x) { return ::sin(M_PI * x); }
inline double cospi(double x) { return ::cos(M_PI * x); }

namespace ditto::emulation {
inline void fast_sincos(float x, float* sine, float* cosine) {
  *sine = ::sinf(x);
  *cosine = ::cosf(x);
}
}  // namespace ditto::emulation

// Macros, because glibc declares functions of the same names.
#define __expf(x) ::expf(x)
#define __exp10f(x) ::powf(10.0f, x)
#define __logf(x) ::logf(x)
#define __log2f(x) ::log2f(x)
#define __log10f(x) ::log10f(x)
#define __powf(x, y) ::powf(x, y)
#define __sinf(x) ::sinf(x)
#define __cosf(x) ::cosf(x)
#define __tanf(x) ::tanf(x)
#define __sincosf(x, sine, cosine) ::ditto::emulation::fast_sincos(x, sine, cosine)

inline float __fdividef(float x, float y) { return x / y; }
inline float __fdiv_rn(float x, float y) { return x / y; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return ::sqrtf(x); }
inline float __frsqrt_rn(float x) { return 1.0f / ::sqrtf(x); }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fsub_rn(float x, float y) { return x - y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fmaf_rn(float x, float y, float z) { return ::fmaf(x, y, z); }
inline double __dadd_rn(double x, double y) { return x + y; }
inline double __dsub_rn(double x, double y) { return x - y; }
inline double __dmul_rn(double x, double y) { return x * y; }
inline double __ddiv_rn(double x, double y) { return x / y; }
inline double __dsqrt_rn(double x) { return ::sqrt(x); }
inline double __fma_rn(double x, double y, double z) { return ::fma(x, y, z); }
inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }

inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
inline double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }

namespace ditto::emulation {
// Conversions saturate; NaN becomes 0 in 32 bits, the most negative value in 64.
template <class Int, class Float>
Int saturating_cast(Float x) {
  constexpr Int low = std::is_signed_v<Int> ? Int(Int(1) << (sizeof(Int) * CHAR_BIT - 1)) : Int(0);
  constexpr Int high = static_cast<Int>(~low);
  if (std::isnan(x)) return sizeof(Int) == 4 ? 0 : low;
  if (x <= static_cast<Float>(low)) return low;
  if (x >= static_cast<Float>(high)) return high;
  return static_cast<Int>(x);
}
}  // namespace ditto::emulation

inline int __float2int_rn(float x) { return ditto::emulation::saturating_cast<int>(::rintf(x)); }
inline int __float2int_rd(float x) { return ditto::emulation::saturating_cast<int>(::floorf(x)); }
inline int __float2int_ru(float x) { return ditto::emulation::saturating_cast<int>(::ceilf(x)); }
inline int __float2int_rz(float x) { return ditto::emulation::saturating_cast<int>(::truncf(x)); }
inline unsigned __float2uint_rn(float x) {
  return ditto::emulation::saturating_cast<unsigned>(::rintf(x));
}
inline unsigned __float2uint_rz(float x) {
  return ditto::emulation::saturating_cast<unsigned>(::truncf(x));
}
inline int __double2int_rn(double x) { return ditto::emulation::saturating_cast<int>(::rint(x)); }
inline int __double2int_rz(double x) { return ditto::emulation::saturating_cast<int>(::trunc(x)); }
inline long long __double2ll_rn(double x) {
  return ditto::emulation::saturating_cast<long long>(::rint(x));
}
inline float __double2float_rn(double x) { return static_cast<float>(x); }
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline float __uint2float_rn(unsigned x) { return static_cast<float>(x); }
inline double __int2double_rn(int x) { return static_cast<double>(x); }

inline int __popc(unsigned x) { return std::popcount(x); }
inline int __popcll(unsigned long long x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __clzll(long long x) { return std::countl_zero(static_cast<unsigned long long>(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __brev(unsigned x) {
  unsigned reversed = 0;
  for (int bit = 0; bit < 32; ++bit) reversed = reversed << 1 | (x >> bit & 1);
  return reversed;
}
inline int __mulhi(int x, int y) { return static_cast<int>(static_cast<int64_t>(x) * y >> 32); }
inline unsigned __umulhi(unsigned x, unsigned y) {
  return static_cast<unsigned>(static_cast<uint64_t>(x) * y >> 32);
}
inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
  return static_cast<unsigned long long>(static_cast<unsigned __int128>(x) * y >> 64);
}

// nvcc offers these in the global namespace.
inline int min(int x, int y) { return y < x ? y : x; }
inline int max(int x, int y) { return x < y ? y : x; }
inline unsigned min(unsigned x, unsigned y) { return y < x ? y : x; }
inline unsigned max(unsigned x, unsigned y) { return x < y ? y : x; }
inline long min(long x, long y) { return y < x ? y : x; }
inline long max(long x, long y) { return x < y ? y : x; }
inline unsigned long min(unsigned long x, unsigned long y) { return y < x ? y : x; }
inline unsigned long max(unsigned long x, unsigned long y) { return x < y ? y : x; }
inline long long min(long long x, long long y) { return y < x ? y : x; }
inline long long max(long long x, long long y) { return x < y ? y : x; }
inline unsigned long long min(unsigned long long x, unsigned long long y) { return y < x ? y : x; }
inline unsigned long long max(unsigned long long x, unsigned long long y) { return x < y ? y : x; }
inline float min(float x, float y) { return ::fminf(x, y); }
inline float max(float x, float y) { return ::fmaxf(x, y); }
inline double min(double x, double y) { return ::fmin(x, y); }
inline double max(double x, double y) { return ::fmax(x, y); }
