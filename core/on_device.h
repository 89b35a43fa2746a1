// on_device: the one place where an op's code becomes that of a device.
//
// Apart from core/context.h, because this is all that differs between builds with and without CUDA:
// what does not include it compiles to the same object in both, which a compiler cache then has.
#pragma once

#include "core/context.h"

namespace ditto {

#ifdef DITTO_HAS_CUDA
inline constexpr bool kHasCuda = true;
CudaContext& cuda_context(int index);
#else
inline constexpr bool kHasCuda = false;
#endif

// Calls f with the context of `device`. With CUDA built in, a kernel without a CUDA overload is a
// link error.
template <class F>
decltype(auto) on_device(Device device, F&& f) {
  if constexpr (kHasCuda) {
#ifdef DITTO_HAS_CUDA
    if (device.is_cuda()) return f(cuda_context(device.index));
#endif
  }
  check(device.is_cpu(), "[device] this build has no CUDA support:", device);
  return f(cpu_context());
}

}  // namespace ditto
