#include "core/context.h"

#include <algorithm>
#include <atomic>
#include <thread>

#ifdef DITTO_HAS_CUDA
#include "core/cuda_context.h"
#include "core/on_device.h"
#endif

namespace ditto {
namespace {

std::atomic<int>& default_threads() {
  static std::atomic<int> threads{
      std::max(1, static_cast<int>(std::thread::hardware_concurrency()))};
  return threads;
}

std::atomic<bool> tf32_on{false}, deterministic_on{false};

}  // namespace

#ifdef DITTO_HAS_CUDA
void synchronize(Device device) {
  if (device.is_cuda()) cuda_context(device.index).synchronize();
}
#else
void synchronize(Device) {}
#endif

bool tf32_allowed() { return tf32_on.load(std::memory_order_relaxed); }
void allow_tf32(bool on) { tf32_on = on; }
bool deterministic() { return deterministic_on.load(std::memory_order_relaxed); }
void set_deterministic(bool on) { deterministic_on = on; }

CpuContext& cpu_context() {
  thread_local CpuContext context{default_threads().load()};
  return context;
}

void set_num_threads(int threads) {
  check(threads >= 1, "[set_num_threads] needs at least 1 thread, got", threads);
  default_threads() = threads;
  cpu_context().threads = threads;
}

int num_threads() { return cpu_context().threads; }

}  // namespace ditto
