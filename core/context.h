// What a kernel needs from its device, and the five lines that pick it (docs/design.md, dispatch).
#pragma once

#include "core/device.h"
#include "core/error.h"

namespace ditto {

// The CPU side: how many threads a kernel may use. Thread-local, so that loader threads can run
// single-threaded.
struct CpuContext {
  int threads = 1;
};

// Defined by the CUDA backend; a CPU-only build never instantiates code that needs it.
class CudaContext;

// The calling thread's context. Its first value is the process default (set_num_threads, else the
// machine's cores).
CpuContext& cpu_context();

// Threads that kernels use from now on, here and in threads that have not run a kernel yet. At
// least 1.
void set_num_threads(int threads);
int num_threads();

// TF32 matrix products and convolutions in f32 on CUDA: inputs rounded to 10 bits of mantissa,
// several times faster. Off by default, process-wide.
bool tf32_allowed();
void allow_tf32(bool on);
// Restricts CUDA libraries to algorithms that give the same bits in every run. Off by default,
// process-wide; our own kernels always do.
bool deterministic();
void set_deterministic(bool on);

// Waits until all work that this thread gave the device is done; errors of kernels show here.
// Nothing to do for the CPU.
void synchronize(Device device);

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
