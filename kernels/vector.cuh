// Packs: several neighbouring elements that a thread moves in one access, 16 bytes where the data
// allows it.
//
// A warp that asks for 16 bytes per thread needs a quarter of the instructions of one that asks for
// 4, and keeps more bytes on the way. Kernels take the width as a template parameter: kPack<T>
// where every row starts on a 16-byte boundary, else 1.
#pragma once

#include <cstdint>

#include "kernels/launch.cuh"

namespace ditto::kernels {

// Elements in 16 bytes.
template <class T>
inline constexpr int kPack = static_cast<int>(16 / sizeof(T));

template <class T, int P>
struct alignas(P * sizeof(T)) Pack {
  T v[P];
};

template <int P, class T>
__device__ inline Pack<T, P> load_pack(const T* from) {
  return *reinterpret_cast<const Pack<T, P>*>(from);
}
template <int P, class T>
__device__ inline void store_pack(T* to, const Pack<T, P>& pack) {
  *reinterpret_cast<Pack<T, P>*>(to) = pack;
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
