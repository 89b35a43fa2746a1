// Sums and maxima over the threads of a warp or of a block.
//
// Always the same tree, so results do not depend on the order in which threads run. All threads
// that a function names must call it, with the same arguments but for the value.
#pragma once

#include "kernels/launch.cuh"

namespace ditto::kernels {

inline constexpr int kWarp = 32;
inline constexpr unsigned kAllLanes = 0xffffffffu;

// Over each group of `width` lanes, a power of two; every lane gets the result. The whole warp
// calls it.
template <class T>
__device__ inline T warp_sum(T value, int width = kWarp) {
  for (int step = width / 2; step > 0; step /= 2) value += __shfl_xor_sync(kAllLanes, value, step);
  return value;
}
// NaN counts as smaller than any number.
template <class T>
__device__ inline T warp_max(T value, int width = kWarp) {
  for (int step = width / 2; step > 0; step /= 2)
    value = fmax(value, __shfl_xor_sync(kAllLanes, value, step));
  return value;
}

// Over a block of whole warps; every thread gets the result. `scratch` is shared memory for one
// value per warp, free again on return.
template <class T>
__device__ inline T block_sum(T value, T* scratch) {
  const int lane = threadIdx.x % kWarp, warps = blockDim.x / kWarp;
  value = warp_sum(value);
  if (lane == 0) scratch[threadIdx.x / kWarp] = value;
  __syncthreads();
  value = warp_sum(lane < warps ? scratch[lane] : T(0));
  __syncthreads();
  return value;
}
template <class T>
__device__ inline T block_max(T value, T* scratch) {
  const int lane = threadIdx.x % kWarp, warps = blockDim.x / kWarp;
  value = warp_max(value);
  if (lane == 0) scratch[threadIdx.x / kWarp] = value;
  __syncthreads();
  value = warp_max(lane < warps ? scratch[lane] : value);
  __syncthreads();
  return value;
}

}  // namespace ditto::kernels
