#include "core/context.h"

#include <algorithm>
#include <atomic>
#include <thread>

namespace ditto {
namespace {

std::atomic<int>& default_threads() {
  static std::atomic<int> threads{
      std::max(1, static_cast<int>(std::thread::hardware_concurrency()))};
  return threads;
}

}  // namespace

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
