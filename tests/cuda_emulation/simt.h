// Executes launches of CUDA kernels on the CPU: one fiber per CUDA thread, taken in an order that a
// seed decides, so that code which relies on an order, a missing barrier or a wrong mask is found.
// The stream double calls run_grid(); kernels reach the rest through device.h.
//
// Reference: CUDA C++ Programming Guide, "Hardware implementation" and "C++ language extensions".
#pragma once

#include <vector_types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>

namespace ditto::emulation {

struct LaunchRecord {
  std::string name;
  dim3 grid;
  dim3 block;
  size_t shared_bytes = 0;     // dynamic shared memory
  std::function<void()> body;  // what one CUDA thread does
  int device = 0;
};

// A launch that had to be stopped: the finding is in the list of report.h as well. On a device it
// would be a sticky cudaErrorLaunchFailure.
class LaunchError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Executes all blocks of the launch on the calling thread. Throws LaunchError when the launch
// breaks a limit of the hardware, can never finish or leaves its memory; threads are then abandoned
// where they stand, without unwinding. Launches of several host threads are executed one after
// another.
void run_grid(const LaunchRecord& launch);

// Order of blocks and threads: 0 in order, 1 reversed, others shuffled afresh at every pick. The
// first value is that of the environment variable DITTO_EMU_SEED (default 0).
void set_schedule_seed(uint64_t seed);
uint64_t schedule_seed();

// Steps a launch may take before it counts as endless: basic blocks of code compiled with
// -fsanitize-coverage=trace-pc, barriers and warp functions, each per thread.
inline constexpr uint64_t kDefaultStepBudget = uint64_t{1} << 33;
void set_step_budget(uint64_t steps);
uint64_t step_budget();

// Limits of compute capability 7.5 and newer.
inline constexpr unsigned kMaxBlockThreads = 1024;
inline constexpr size_t kMaxStaticSharedBytes = 48 * 1024;
inline constexpr size_t kMaxSharedBytes = 227 * 1024;

}  // namespace ditto::emulation
