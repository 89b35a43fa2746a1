// Runs the threads of one block at a time and stops them at barriers and warp functions.
// Internal to the emulation: kernels see device.h, the stream double simt.h.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/cuda_emulation/fiber.h"
#include "tests/cuda_emulation/report.h"
#include "tests/cuda_emulation/shared_memory.h"
#include "tests/cuda_emulation/simt.h"
#include "tests/cuda_emulation/site.h"
#include "tests/cuda_emulation/warp.h"

namespace ditto::emulation {

enum class BarrierKind { kPlain, kCount, kAnd, kOr };

struct Thread {
  enum class State { kReady, kAtBarrier, kInWarpCall, kExited };

  uint3 index{};
  unsigned linear = 0;  // in the block, x fastest: lane = linear % 32
  State state = State::kReady;
  Fiber* fiber = nullptr;  // null: not started
  Site site{"", 0};        // where it waits
  BarrierKind barrier = BarrierKind::kPlain;
  int predicate = 0;
  WarpCall call{};
  uint64_t result = 0;  // of the barrier or warp function
};

// A warp function in which some lanes of its mask have arrived.
struct OpenCall {
  WarpOp op;
  Site site;
  uint32_t mask;
  uint32_t arrived;
};

class Scheduler {
 public:
  // That of the calling host thread; it keeps its fibers from launch to launch.
  static Scheduler& mine();

  // The CUDA thread in whose code we are; null on a host thread and in the emulation's own code.
  static Thread* current() { return running_; }
  // The scheduler of the running CUDA thread.
  static Scheduler& active() { return *active_; }

  void run(const LaunchRecord& launch);

  const LaunchRecord& launch() const { return *launch_; }
  uint3 block_index() const { return block_index_; }
  uint64_t block_number() const { return block_number_; }
  SharedMemory& shared_memory() { return shared_memory_; }

  // While one exists, the running thread is in the emulation's own code: nothing there is checked
  // or counted, not even what the linker took from a kernel's object file (std::vector...).
  struct Pause {
    Thread* thread = running_;
    Pause() { running_ = nullptr; }
    ~Pause() { running_ = thread; }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;
  };

  // Called by the running thread; return when the others have arrived.
  int barrier(BarrierKind kind, int predicate, Site site);
  uint64_t warp_call(const WarpCall& call, Site site);

  // Counts one step of the running thread; stops the launch when its budget is used up. `pc` says
  // where where `site` does not.
  void step(Site site, const void* pc = nullptr) {
    if (++steps_ > step_budget_) out_of_steps(site, pc);
  }

  // Stops the launch: all threads are abandoned, and run() reports and throws.
  [[noreturn]] void stop(std::string kind, Site site, const std::string& text,
                         const void* pc = nullptr);

 private:
  static void fiber_main();
  void check_limits() const;
  std::vector<uint64_t> block_order();
  void begin_block(uint64_t number);
  void run_block();
  Thread* next_thread();
  Fiber& fiber_of(Thread& thread);
  void wait();
  bool release_barrier();
  void complete_warp_call(Thread& last);
  void make_ready(Thread* const* threads, size_t count);
  void report_stuck();
  void fail(std::string kind, Site site, const std::string& text, const void* pc);
  [[noreturn]] void out_of_steps(Site site, const void* pc);

  static inline constinit thread_local Thread* running_ = nullptr;
  static inline constinit thread_local Scheduler* active_ = nullptr;

  const LaunchRecord* launch_ = nullptr;
  uint64_t seed_ = 0;
  std::mt19937_64 random_;
  uint64_t steps_ = 0;
  uint64_t step_budget_ = 0;

  uint3 block_index_{};
  uint64_t block_number_ = 0;
  std::vector<Thread> threads_;
  std::vector<Thread*> all_;    // their addresses
  std::vector<Thread*> ready_;  // the next one is the last, or any (seeds from 2)
  Thread* thread_ = nullptr;    // the one that runs
  size_t exited_ = 0;
  std::vector<std::vector<OpenCall>> open_calls_;  // per warp
  SharedMemory shared_memory_;

  bool failed_ = false;
  Report failure_;
  const void* failure_pc_ = nullptr;

  Fiber main_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
  Thread* starting_ = nullptr;  // what the idle fiber that is switched to must run
};

// Index of the i-th block or thread, x fastest, and its text "(x,y,z)".
uint3 unravel(uint64_t i, const dim3& sizes);
std::string text_of(uint3 index);

}  // namespace ditto::emulation
