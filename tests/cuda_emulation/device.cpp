#include "tests/cuda_emulation/device.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "tests/cuda_emulation/checker.h"
#include "tests/cuda_emulation/scheduler.h"

namespace ditto::emulation {
namespace {

Thread& current() {
  Thread* thread = Scheduler::current();
  if (!thread) {
    std::fprintf(stderr, "ditto emulation: device code was called from the host\n");
    std::abort();
  }
  return *thread;
}

Scheduler& scheduler() {
  current();
  return Scheduler::active();
}

}  // namespace

uint3 thread_index() { return current().index; }
uint3 block_index() { return scheduler().block_index(); }
dim3 block_dim() { return scheduler().launch().block; }
dim3 grid_dim() { return scheduler().launch().grid; }

std::function<void()> thread_body(Closure closure) {
  return [closure = std::move(closure)] {
    checker::arguments(closure.bound.get(), closure.bytes);
    closure.call(closure.bound.get());
  };
}

void* shared_memory(const SharedKey& key, size_t bytes) {
  Scheduler& self = scheduler();
  const Scheduler::Pause pause;
  void* array = self.shared_memory().array(key, bytes);
  if (!array) {
    self.stop("launch-limit", key.site,
              std::string("with ") + key.name +
                  " the block has more than 48 KiB of static or 227 KiB of shared memory");
  }
  return array;
}

void* dynamic_shared_memory(size_t, Site) { return scheduler().shared_memory().dynamic(); }

void sync_threads(Site site) { scheduler().barrier(BarrierKind::kPlain, 0, site); }
int sync_threads_count(int predicate, Site site) {
  return scheduler().barrier(BarrierKind::kCount, predicate, site);
}
int sync_threads_and(int predicate, Site site) {
  return scheduler().barrier(BarrierKind::kAnd, predicate, site);
}
int sync_threads_or(int predicate, Site site) {
  return scheduler().barrier(BarrierKind::kOr, predicate, site);
}

void atomic_access(void* address, size_t bytes, Site site) {
  scheduler().step(site);
  checker::access(address, bytes, checker::Access::kAtomic, nullptr, site);
}

uint64_t warp_call(const WarpCall& call, Site site) { return scheduler().warp_call(call, site); }

}  // namespace ditto::emulation

// Called at every basic block of code compiled with -fsanitize-coverage=trace-pc.
extern "C" void __sanitizer_cov_trace_pc() {
  using ditto::emulation::Scheduler;
  if (Scheduler::current()) Scheduler::active().step({"", 0}, __builtin_return_address(0));
}
