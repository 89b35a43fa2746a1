// Atomic functions of CUDA C++. CUDA threads of a device take turns on one host thread, so a plain
// read and write is atomic here; the checker learns that it was meant to be. The order in which
// threads come is the schedule's: sums of floats vary with its seed, as on a GPU.
//
// Reference: CUDA C++ Programming Guide, "Atomic functions".
#pragma once

#include <concepts>
#include <cstddef>

#include "tests/cuda_emulation/site.h"

namespace ditto::emulation {

template <class T, class... Allowed>
concept OneOf = (std::same_as<T, Allowed> || ...);
using ull = unsigned long long;

// Tells the checker of an atomic access.
void atomic_access(void* address, size_t bytes, Site site);

// Not seen by the checker's callbacks: they would take it for a plain access.
template <class T, class Change>
[[gnu::no_sanitize("thread")]] T exchange(T* address, Change change, Site site) {
  atomic_access(address, sizeof(T), site);
  const T old = *address;
  *address = change(old);
  return old;
}

}  // namespace ditto::emulation

template <ditto::emulation::OneOf<int, unsigned, ditto::emulation::ull, float, double> T>
T atomicAdd(T* address, std::type_identity_t<T> value, ditto::emulation::Site site = {}) {
  return ditto::emulation::exchange(
      address, [=](T old) { return T(old + value); }, site);
}
template <ditto::emulation::OneOf<int, unsigned> T>
T atomicSub(T* address, std::type_identity_t<T> value, ditto::emulation::Site site = {}) {
  return ditto::emulation::exchange(
      address, [=](T old) { return T(old - value); }, site);
}
template <ditto::emulation::OneOf<int, unsigned, ditto::emulation::ull, float> T>
T atomicExch(T* address, std::type_identity_t<T> value, ditto::emulation::Site site = {}) {
  return ditto::emulation::exchange(
      address, [=](T) { return value; }, site);
}
template <ditto::emulation::OneOf<int, unsigned, long long, ditto::emulation::ull> T>
T atomicMin(T* address, std::type_identity_t<T> value, ditto::emulation::Site site = {}) {
  return ditto::emulation::exchange(
      address, [=](T old) { return value < old ? value : old; }, site);
}
template <ditto::emulation::OneOf<int, unsigned, long long, ditto::emulation::ull> T>
T atomicMax(T* address, std::type_identity_t<T> value, ditto::emulation::Site site = {}) {
  return ditto::emulation::exchange(
      address, [=](T old) { return old < value ? value : old; }, site);
}
template <ditto::emulation::OneOf<int, unsigned, ditto::emulation::ull> T>
T atomicAnd(T* address, std::type_identity_t<T> value, ditto::emulation::Site site = {}) {
  return ditto::emulation::exchange(
      address, [=](T old) { return old & value; }, site);
}
template <ditto::emulation::OneOf<int, unsigned, ditto::emulation::ull> T>
T atomicOr(T* address, std::type_identity_t<T> value, ditto::emulation::Site site = {}) {
  return ditto::emulation::exchange(
      address, [=](T old) { return old | value; }, site);
}
template <ditto::emulation::OneOf<int, unsigned, ditto::emulation::ull> T>
T atomicXor(T* address, std::type_identity_t<T> value, ditto::emulation::Site site = {}) {
  return ditto::emulation::exchange(
      address, [=](T old) { return old ^ value; }, site);
}
template <ditto::emulation::OneOf<int, unsigned, ditto::emulation::ull> T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value,
            ditto::emulation::Site site = {}) {
  return ditto::emulation::exchange(
      address, [=](T old) { return old == expected ? value : old; }, site);
}
inline unsigned atomicInc(unsigned* address, unsigned limit, ditto::emulation::Site site = {}) {
  return ditto::emulation::exchange(
      address, [=](unsigned old) { return old >= limit ? 0 : old + 1; }, site);
}
inline unsigned atomicDec(unsigned* address, unsigned limit, ditto::emulation::Site site = {}) {
  return ditto::emulation::exchange(
      address, [=](unsigned old) { return old == 0 || old > limit ? limit : old - 1; }, site);
}
