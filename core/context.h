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

}  // namespace ditto
