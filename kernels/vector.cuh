// Packs: several neighbouring elements that a thread moves in one access, 16 bytes where the data
// allows it.
//
// A warp that asks for 16 bytes per thread needs a quarter of the instructions of one that asks for
// 4, and keeps more bytes on the way. Kernels take the width as a template parameter: kPack<T>
// where every row starts on a 16-byte boundary, else 1. Packs of bf16 are widened to f32 as they
// are loaded and rounded as they are stored (kernels/compute_type.h).
#pragma once

#include <cstdint>

#include "kernels/compute_type.h"
#include "kernels/launch.cuh"

namespace ditto::kernels {

// Elements in 16 bytes.
template <class T>
inline constexpr int kPack = static_cast<int>(16 / sizeof(T));

// More than 16 bytes (the f32 parameters of eight channels in bf16) come in several accesses.
template <class T, int P>
struct alignas(P * sizeof(T) < 16 ? P * sizeof(T) : 16) Pack {
  T v[P];
};

template <int P, class T>
__device__ inline Pack<ComputeType<T>, P> load_pack(const T* from) {
  const Pack<T, P> stored = *reinterpret_cast<const Pack<T, P>*>(from);
  if constexpr (std::is_same_v<T, ComputeType<T>>) {
    return stored;
  } else {
    Pack<ComputeType<T>, P> pack;
#pragma unroll
    for (int k = 0; k < P; ++k) pack.v[k] = widen(stored.v[k]);
    return pack;
  }
}
template <int P, class T>
__device__ inline void store_pack(T* to, const Pack<ComputeType<T>, P>& pack) {
  if constexpr (std::is_same_v<T, ComputeType<T>>) {
    *reinterpret_cast<Pack<T, P>*>(to) = pack;
  } else {
    Pack<T, P> stored;
#pragma unroll
    for (int k = 0; k < P; ++k) stored.v[k] = narrow<T>(pack.v[k]);
    *reinterpret_cast<Pack<T, P>*>(to) = stored;
  }
}

// Whether all of the addresses are multiples of 16; null, an absent operand, is.
template <class... P>
bool aligned16(const P*... pointers) {
  return ((reinterpret_cast<uintptr_t>(pointers) % 16 == 0) && ...);
}

// Calls f(std::integral_constant<int, P>) with P = kPack<T> or 1.
template <class T, class F>
void with_pack(bool wide, F&& f) {
  if (wide)
    f(std::integral_constant<int, kPack<T>>{});
  else
    f(std::integral_constant<int, 1>{});
}

}  // namespace ditto::kernels
