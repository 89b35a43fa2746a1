#include "tests/cuda_emulation/simt.h"

#include <atomic>
#include <cstdlib>
#include <mutex>

#include "tests/cuda_emulation/scheduler.h"

namespace ditto::emulation {
namespace {

uint64_t seed_of_environment() {
  const char* text = std::getenv("DITTO_EMU_SEED");
  return text ? std::strtoull(text, nullptr, 10) : 0;
}

std::atomic<uint64_t> seed{seed_of_environment()};
std::atomic<uint64_t> budget{kDefaultStepBudget};

}  // namespace

void run_grid(const LaunchRecord& launch) {
  static std::mutex one_at_a_time;
  std::lock_guard lock(one_at_a_time);
  Scheduler::mine().run(launch);
}

void set_schedule_seed(uint64_t value) { seed = value; }
uint64_t schedule_seed() { return seed; }
void set_step_budget(uint64_t steps) { budget = steps; }
uint64_t step_budget() { return budget; }

}  // namespace ditto::emulation
