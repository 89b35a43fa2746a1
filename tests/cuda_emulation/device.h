// CUDA C++ for the host compiler: included by force (-include) into every .cu file of an emulated
// build, in place of what nvcc knows by itself. The vector types, dim3 and the empty __global__ and
// __device__ come from the real headers; here are the built-in variables, shared memory, barriers
// and warp functions. What a kernel of ditto must not use (__activemask, __shared__ outside of
// SHARED_ARRAY, <<<>>>) is missing on purpose: it does not compile.
//
// Reference: CUDA C++ Programming Guide, "C++ language extensions".
#pragma once

#include <cuda_runtime.h>

#include <concepts>
#include <cstring>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include "core/host_device.h"
#include "tests/cuda_emulation/device_atomic.h"
#include "tests/cuda_emulation/device_math.h"
#include "tests/cuda_emulation/shared_memory.h"
#include "tests/cuda_emulation/site.h"
#include "tests/cuda_emulation/warp.h"

namespace ditto::emulation {

// Puts a launch at the end of the stream. The stream double defines this one.
void launch(cudaStream_t stream, const char* name, dim3 grid, dim3 block, size_t shared_bytes,
            std::function<void()> thread_body);

// A function with the arguments of a launch bound to it: the checker has to know where they lie.
struct Closure {
  std::shared_ptr<const void> bound;
  size_t bytes;
  void (*call)(const void* bound);
};
std::function<void()> thread_body(Closure closure);

template <class Body>
std::function<void()> thread_body(Body body) {
  return thread_body(Closure{std::make_shared<const Body>(std::move(body)), sizeof(Body),
                             [](const void* bound) { (*static_cast<const Body*>(bound))(); }});
}

// What kernels/launch.cuh calls, with a lambda.
template <class Body>
void launch(cudaStream_t stream, const char* name, dim3 grid, dim3 block, size_t shared_bytes,
            Body body) {
  launch(stream, name, grid, block, shared_bytes, thread_body(std::move(body)));
}

// Built-in variables of the running thread.
[[gnu::const]] uint3 thread_index();
[[gnu::const]] uint3 block_index();
[[gnu::const]] dim3 block_dim();
[[gnu::const]] dim3 grid_dim();

void* shared_memory(const SharedKey& key, size_t bytes);
void* dynamic_shared_memory(size_t alignment, Site site);

// A reference to an array, not a pointer: -fsanitize=bounds then knows its length.
template <class T, size_t count>
auto shared_array(const SharedKey& key) -> T (&)[count] {
  static_assert(std::is_trivially_default_constructible_v<T>, "as nvcc demands of __shared__");
  static_assert(alignof(T) <= 128);
  return *static_cast<T(*)[count]>(shared_memory(key, sizeof(T[count])));
}

void sync_threads(Site site);
int sync_threads_count(int predicate, Site site);
int sync_threads_and(int predicate, Site site);
int sync_threads_or(int predicate, Site site);

// Meets the lanes of the mask; `value` and the result are bits.
uint64_t warp_call(const WarpCall& call, Site site);

// Types that shuffle: as in CUDA, plus 2- and 4-byte classes (__half, __nv_bfloat162).
template <class T>
concept Shuffled = std::is_trivially_copyable_v<T> &&
    ((std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8)) ||
     (std::is_class_v<T> && (sizeof(T) == 2 || sizeof(T) == 4)));

template <Shuffled T>
T shuffle(WarpOp op, unsigned mask, T value, int argument, int width, Site site) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = warp_call({op, mask, bits, argument, width}, site);
  T result;
  std::memcpy(static_cast<void*>(&result), &bits, sizeof result);
  return result;
}

template <class T>
concept Reduced = std::same_as<T, int> || std::same_as<T, unsigned>;

}  // namespace ditto::emulation

inline constexpr int warpSize = 32;
#define threadIdx (::ditto::emulation::thread_index())
#define blockIdx (::ditto::emulation::block_index())
#define blockDim (::ditto::emulation::block_dim())
#define gridDim (::ditto::emulation::grid_dim())

// Of a function that kernels share with the CPU, the linker keeps one copy: it might be the one
// that is compiled without callbacks, whose accesses the checker would miss. So it has to be
// inlined here.
#undef HD
#define HD __attribute__((always_inline)) inline

#undef __launch_bounds__
#define __launch_bounds__(...)
#undef __shared__
#define __shared__ write_SHARED_ARRAY_or_DYNAMIC_SHARED_instead

// T name[count] in the shared memory of the block; each instantiation of a template has its own.
#define SHARED_ARRAY(T, name, count)                                                      \
  static constexpr ::ditto::emulation::SharedKey name##_key{#name, {__FILE__, __LINE__}}; \
  T(&name)[count] = ::ditto::emulation::shared_array<T, count>(name##_key)
// T* name: the dynamic shared memory of the launch.
#define DYNAMIC_SHARED(T, name) \
  T* const name = static_cast<T*>(::ditto::emulation::dynamic_shared_memory(alignof(T), {}))

inline void __syncthreads(ditto::emulation::Site site = {}) {
  ditto::emulation::sync_threads(site);
}
inline int __syncthreads_count(int predicate, ditto::emulation::Site site = {}) {
  return ditto::emulation::sync_threads_count(predicate, site);
}
inline int __syncthreads_and(int predicate, ditto::emulation::Site site = {}) {
  return ditto::emulation::sync_threads_and(predicate, site);
}
inline int __syncthreads_or(int predicate, ditto::emulation::Site site = {}) {
  return ditto::emulation::sync_threads_or(predicate, site);
}

inline void __syncwarp(unsigned mask = 0xFFFFFFFF, ditto::emulation::Site site = {}) {
  ditto::emulation::warp_call({ditto::emulation::WarpOp::kSync, mask, 0, 0, 32}, site);
}

template <ditto::emulation::Shuffled T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32, ditto::emulation::Site site = {}) {
  return shuffle(ditto::emulation::WarpOp::kShuffle, mask, value, lane, width, site);
}
template <ditto::emulation::Shuffled T>
T __shfl_up_sync(unsigned mask, T value, unsigned distance, int width = 32,
                 ditto::emulation::Site site = {}) {
  return shuffle(ditto::emulation::WarpOp::kShuffleUp, mask, value, static_cast<int>(distance),
                 width, site);
}
template <ditto::emulation::Shuffled T>
T __shfl_down_sync(unsigned mask, T value, unsigned distance, int width = 32,
                   ditto::emulation::Site site = {}) {
  return shuffle(ditto::emulation::WarpOp::kShuffleDown, mask, value, static_cast<int>(distance),
                 width, site);
}
template <ditto::emulation::Shuffled T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32,
                  ditto::emulation::Site site = {}) {
  return shuffle(ditto::emulation::WarpOp::kShuffleXor, mask, value, lane_mask, width, site);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, ditto::emulation::Site site = {}) {
  return static_cast<unsigned>(ditto::emulation::warp_call(
      {ditto::emulation::WarpOp::kBallot, mask, predicate != 0, 0, 32}, site));
}
inline int __all_sync(unsigned mask, int predicate, ditto::emulation::Site site = {}) {
  return static_cast<int>(ditto::emulation::warp_call(
      {ditto::emulation::WarpOp::kAll, mask, predicate != 0, 0, 32}, site));
}
inline int __any_sync(unsigned mask, int predicate, ditto::emulation::Site site = {}) {
  return static_cast<int>(ditto::emulation::warp_call(
      {ditto::emulation::WarpOp::kAny, mask, predicate != 0, 0, 32}, site));
}

template <ditto::emulation::Shuffled T>
unsigned __match_any_sync(unsigned mask, T value, ditto::emulation::Site site = {}) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return static_cast<unsigned>(
      ditto::emulation::warp_call({ditto::emulation::WarpOp::kMatchAny, mask, bits, 0, 32}, site));
}
template <ditto::emulation::Shuffled T>
unsigned __match_all_sync(unsigned mask, T value, int* all, ditto::emulation::Site site = {}) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  const uint64_t lanes =
      ditto::emulation::warp_call({ditto::emulation::WarpOp::kMatchAll, mask, bits, 0, 32}, site);
  *all = lanes != 0;
  return static_cast<unsigned>(lanes);
}

template <ditto::emulation::Reduced T>
T __reduce_add_sync(unsigned mask, T value, ditto::emulation::Site site = {}) {
  return static_cast<T>(ditto::emulation::warp_call(
      {ditto::emulation::WarpOp::kReduceAdd, mask, static_cast<uint64_t>(value), 0, 32}, site));
}
template <ditto::emulation::Reduced T>
T __reduce_min_sync(unsigned mask, T value, ditto::emulation::Site site = {}) {
  using ditto::emulation::WarpOp;
  const auto op = std::is_signed_v<T> ? WarpOp::kReduceMinSigned : WarpOp::kReduceMin;
  return static_cast<T>(
      ditto::emulation::warp_call({op, mask, static_cast<uint64_t>(value), 0, 32}, site));
}
template <ditto::emulation::Reduced T>
T __reduce_max_sync(unsigned mask, T value, ditto::emulation::Site site = {}) {
  using ditto::emulation::WarpOp;
  const auto op = std::is_signed_v<T> ? WarpOp::kReduceMaxSigned : WarpOp::kReduceMax;
  return static_cast<T>(
      ditto::emulation::warp_call({op, mask, static_cast<uint64_t>(value), 0, 32}, site));
}
inline unsigned __reduce_and_sync(unsigned mask, unsigned value, ditto::emulation::Site site = {}) {
  return static_cast<unsigned>(ditto::emulation::warp_call(
      {ditto::emulation::WarpOp::kReduceAnd, mask, value, 0, 32}, site));
}
inline unsigned __reduce_or_sync(unsigned mask, unsigned value, ditto::emulation::Site site = {}) {
  return static_cast<unsigned>(
      ditto::emulation::warp_call({ditto::emulation::WarpOp::kReduceOr, mask, value, 0, 32}, site));
}
inline unsigned __reduce_xor_sync(unsigned mask, unsigned value, ditto::emulation::Site site = {}) {
  return static_cast<unsigned>(ditto::emulation::warp_call(
      {ditto::emulation::WarpOp::kReduceXor, mask, value, 0, 32}, site));
}

// One host thread runs all CUDA threads of a device: memory is sequentially consistent.
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}

template <class T>
[[gnu::always_inline]] inline T __ldg(const T* address) {
  return *address;
}
