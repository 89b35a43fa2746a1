#include "tests/cuda_emulation/scheduler.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/cuda_emulation/checker.h"
#include "tests/cuda_emulation/symbolise.h"

namespace ditto::emulation {
namespace {

std::string hex(uint32_t lanes) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%08x", lanes);
  return text;
}

std::string text_of(const WarpCall& call) {
  return std::string(name(call.op)) + "(" + hex(call.mask) + ")";
}

uint64_t count(const dim3& d) { return uint64_t{d.x} * d.y * d.z; }

}  // namespace

uint3 unravel(uint64_t i, const dim3& d) {
  return {static_cast<unsigned>(i % d.x), static_cast<unsigned>(i / d.x % d.y),
          static_cast<unsigned>(i / d.x / d.y)};
}

std::string text_of(uint3 v) {
  return "(" + std::to_string(v.x) + "," + std::to_string(v.y) + "," + std::to_string(v.z) + ")";
}

Scheduler& Scheduler::mine() {
  // Never destroyed: what else a thread destroys at its end may still wait for launches (a context
  // does). The list is for the leak checker, which does not look into threads that are gone.
  thread_local Scheduler* const scheduler = [] {
    static std::mutex mutex;
    static auto* all = new std::vector<Scheduler*>;
    std::lock_guard lock(mutex);
    return all->emplace_back(new Scheduler);
  }();
  return *scheduler;
}

void Scheduler::check_limits() const {
  const dim3 &grid = launch_->grid, &block = launch_->block;
  std::string problem;
  if (count(grid) == 0 || count(block) == 0) problem = "an empty grid or block";
  if (count(block) > kMaxBlockThreads) problem = "more than 1024 threads per block";
  if (block.z > 64) problem = "block.z above 64";
  if (grid.x > 0x7FFFFFFF || grid.y > 65535 || grid.z > 65535)
    problem = "grid above (2147483647, 65535, 65535)";
  if (launch_->shared_bytes > kMaxSharedBytes) problem = "more than 227 KiB of shared memory";
  if (problem.empty()) return;
  problem = "launch with " + problem + ": grid " + text_of({grid.x, grid.y, grid.z}) + ", block " +
            text_of({block.x, block.y, block.z}) + ", " + std::to_string(launch_->shared_bytes) +
            " bytes";
  report({"launch-limit", launch_->name, "", 0, problem});
  throw LaunchError(problem);
}

std::vector<uint64_t> Scheduler::block_order() {
  std::vector<uint64_t> order(count(launch_->grid));
  std::iota(order.begin(), order.end(), 0);
  if (seed_ == 1) std::reverse(order.begin(), order.end());
  if (seed_ > 1) std::shuffle(order.begin(), order.end(), random_);
  return order;
}

void Scheduler::run(const LaunchRecord& launch) {
  active_ = this;
  launch_ = &launch;
  check_limits();
  seed_ = schedule_seed();
  random_.seed(seed_);
  steps_ = 0;
  step_budget_ = step_budget();
  failed_ = false;
  const std::vector<uint64_t> order = block_order();
  checker::begin_launch(launch);
  for (uint64_t block : order) {
    begin_block(block);
    run_block();
    checker::end_block();
    if (failed_) break;
  }
  checker::end_launch();
  if (!failed_) return;
  // Whatever the threads were doing, their fibers begin anew.
  idle_.clear();
  for (auto& fiber : fibers_) {
    fiber->restart();
    idle_.push_back(fiber.get());
  }
  if (failure_pc_) std::tie(failure_.file, failure_.line) = symbolise(failure_pc_);
  report(failure_);
  throw LaunchError("kernel " + launch.name + " was stopped: " + failure_.kind + " at " +
                    failure_.file + ":" + std::to_string(failure_.line) + ": " + failure_.text);
}

void Scheduler::begin_block(uint64_t number) {
  block_number_ = number;
  block_index_ = unravel(number, launch_->grid);
  threads_.assign(count(launch_->block), Thread{});
  exited_ = 0;
  ready_.clear();
  all_.clear();
  for (size_t i = 0; i < threads_.size(); ++i) {
    threads_[i].index = unravel(i, launch_->block);
    threads_[i].linear = static_cast<unsigned>(i);
    all_.push_back(&threads_[i]);
  }
  open_calls_.assign((threads_.size() + 31) / 32, {});
  checker::begin_block(number, threads_.size());
  shared_memory_.begin_block(launch_->shared_bytes);
  make_ready(all_.data(), all_.size());
}

void Scheduler::run_block() {
  if (Thread* first = next_thread()) main_.switch_to(fiber_of(*first));
}

void Scheduler::fiber_main() {
  Scheduler& self = mine();
  for (;;) {
    Thread* thread = self.starting_;
    Fiber& fiber = *thread->fiber;
    // Threads that never wait need no fiber of their own: they run here one after another.
    for (Thread* next = nullptr;; thread = next) {
      std::string thrown;
      self.thread_ = thread;
      running_ = thread;
      try {
        self.launch_->body();
      } catch (const std::exception& e) {
        thrown = e.what();
        if (thrown.empty()) thrown = "an exception";
      }
      running_ = nullptr;
      if (!thrown.empty()) self.stop("exception", {"", 0}, thrown);
      thread->state = Thread::State::kExited;
      ++self.exited_;
      next = self.next_thread();
      if (next && !next->fiber) {
        next->fiber = &fiber;
        continue;
      }
      self.idle_.push_back(&fiber);
      fiber.switch_to(next ? *next->fiber : self.main_);
      break;
    }
  }
}

// The thread to run now; null when the block has ended or failed.
Thread* Scheduler::next_thread() {
  if (!failed_ && ready_.empty() && exited_ < threads_.size() && !release_barrier()) report_stuck();
  if (failed_ || ready_.empty()) return nullptr;
  if (seed_ > 1) std::swap(ready_[random_() % ready_.size()], ready_.back());
  Thread* next = ready_.back();
  ready_.pop_back();
  return next;
}

// The fiber on which the thread goes on, or starts.
Fiber& Scheduler::fiber_of(Thread& thread) {
  if (thread.fiber) return *thread.fiber;
  if (idle_.empty()) {
    fibers_.push_back(std::make_unique<Fiber>(&Scheduler::fiber_main));
    idle_.push_back(fibers_.back().get());
  }
  thread.fiber = idle_.back();
  idle_.pop_back();
  starting_ = &thread;
  return *thread.fiber;
}

void Scheduler::wait() {
  Thread* self = thread_;
  Thread* next = next_thread();
  if (next != self) self->fiber->switch_to(next ? fiber_of(*next) : main_);
  thread_ = self;
}

void Scheduler::make_ready(Thread* const* threads, size_t count) {
  const size_t old = ready_.size();
  ready_.insert(ready_.end(), threads, threads + count);
  if (seed_ != 1) std::reverse(ready_.begin() + old, ready_.end());
  for (size_t i = old; i < ready_.size(); ++i) ready_[i]->state = Thread::State::kReady;
}

int Scheduler::barrier(BarrierKind kind, int predicate, Site site) {
  const Pause pause;
  step(site);
  Thread& self = *thread_;
  self.barrier = kind;
  self.predicate = predicate;
  self.site = site;
  self.state = Thread::State::kAtBarrier;
  wait();
  return static_cast<int>(self.result);
}

// When every thread of the block waits at the same barrier, lets them go.
bool Scheduler::release_barrier() {
  const Thread& first = threads_.front();
  uint64_t nonzero = 0;
  for (Thread& thread : threads_) {
    const bool same = thread.state == Thread::State::kAtBarrier && thread.site == first.site &&
                      thread.barrier == first.barrier;
    if (!same) return false;
    nonzero += thread.predicate != 0;
  }
  for (Thread& thread : threads_) {
    switch (thread.barrier) {
      case BarrierKind::kPlain:
        break;
      case BarrierKind::kCount:
        thread.result = nonzero;
        break;
      case BarrierKind::kAnd:
        thread.result = nonzero == threads_.size();
        break;
      case BarrierKind::kOr:
        thread.result = nonzero > 0;
        break;
    }
  }
  checker::barrier();
  make_ready(all_.data(), all_.size());
  return true;
}

uint64_t Scheduler::warp_call(const WarpCall& call, Site site) {
  const Pause pause;
  step(site);
  Thread& self = *thread_;
  const unsigned lane = self.linear % 32, warp = self.linear / 32 * 32;
  auto refuse = [&](const std::string& why) { stop("warp-mask", site, text_of(call) + why); };
  if (!(call.mask >> lane & 1))
    refuse(" is called by lane " + std::to_string(lane) + ", which its mask does not name");
  if (is_shuffle(call.op) && (call.width < 1 || call.width > 32 || (call.width & (call.width - 1))))
    refuse(": width " + std::to_string(call.width) + " is no power of two up to 32");
  const size_t lanes = std::min<size_t>(32, threads_.size() - warp);
  if (lanes < 32 && call.mask >> lanes)
    refuse(" names lanes that this warp of " + std::to_string(lanes) + " threads does not have");
  self.call = call;
  self.site = site;
  self.state = Thread::State::kInWarpCall;
  auto& open = open_calls_[self.linear / 32];
  auto same = std::find_if(open.begin(), open.end(), [&](const OpenCall& other) {
    return other.op == call.op && other.mask == call.mask && other.site == site;
  });
  if (same == open.end()) same = open.insert(open.end(), {call.op, site, call.mask, 0});
  same->arrived |= uint32_t{1} << lane;
  if (same->arrived == call.mask) {
    open.erase(same);
    complete_warp_call(self);
  } else {
    wait();
  }
  return self.result;
}

// All lanes of the mask have made the same call: computes their results and lets them go.
void Scheduler::complete_warp_call(Thread& last) {
  const WarpCall& call = last.call;
  Thread* const warp = &last - last.linear % 32;
  const WarpCall* calls[32] = {};
  for (int lane = 0; lane < 32; ++lane)
    if (call.mask >> lane & 1) calls[lane] = &warp[lane].call;
  Thread* others[32];
  size_t count = 0;
  for (int lane = 0; lane < 32; ++lane) {
    if (!calls[lane]) continue;
    if (is_shuffle(call.op)) {
      const int source = source_lane(*calls[lane], lane);
      if (!calls[source]) {
        stop("inactive-lane", last.site,
             text_of(call) + ": lane " + std::to_string(lane) + " reads lane " +
                 std::to_string(source) + ", which the mask does not name");
      }
      warp[lane].result = calls[source]->value;
    } else {
      warp[lane].result = combine(calls, lane);
    }
    if (&warp[lane] != &last || seed_ > 1) others[count++] = &warp[lane];
  }
  if (call.op == WarpOp::kSync) checker::sync_warp(last.linear / 32, call.mask);
  last.state = Thread::State::kReady;
  make_ready(others, count);
  // The last to arrive goes on at once, except where the seed is to decide who does.
  if (seed_ > 1) wait();
}

void Scheduler::report_stuck() {
  struct Group {
    const Thread* first;
    size_t size;
    uint32_t missing;  // lanes that a warp function waits for
  };
  std::vector<Group> groups;
  bool in_warp_call = false;
  for (const Thread& thread : threads_) {
    if (thread.state == Thread::State::kExited) continue;
    const bool warp_call = thread.state == Thread::State::kInWarpCall;
    in_warp_call |= warp_call;
    auto same = [&](const Group& g) {
      return g.first->state == thread.state && g.first->site == thread.site &&
             (!warp_call || (g.first->call.mask == thread.call.mask &&
                             g.first->linear / 32 == thread.linear / 32));
    };
    auto group = std::find_if(groups.begin(), groups.end(), same);
    if (group == groups.end()) {
      groups.push_back({&thread, 0, thread.call.mask});
      group = groups.end() - 1;
    }
    ++group->size;
    group->missing &= ~(uint32_t{1} << thread.linear % 32);
  }
  // The smaller group is more likely where the mistake is.
  std::stable_sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) {
    const bool a_warp = a.first->state == Thread::State::kInWarpCall;
    const bool b_warp = b.first->state == Thread::State::kInWarpCall;
    return a_warp != b_warp ? a_warp : a.size < b.size;
  });
  std::string text = "block " + text_of(block_index_) + ": no thread can go on:";
  constexpr size_t kShown = 6;
  for (size_t i = 0; i < groups.size() && i < kShown; ++i) {
    const Group& g = groups[i];
    const bool warp_call = g.first->state == Thread::State::kInWarpCall;
    text += " " + std::to_string(g.size) + " in " +
            (warp_call ? text_of(g.first->call) : "__syncthreads()") + " at " + g.first->site.file +
            ":" + std::to_string(g.first->site.line) + " (first: thread " +
            text_of(g.first->index) + ")";
    if (warp_call) text += " wait for lanes " + hex(g.missing);
    text += ";";
  }
  if (groups.size() > kShown)
    text += " " + std::to_string(groups.size() - kShown) + " more groups of waiting threads;";
  text += " " + std::to_string(exited_) + " of " + std::to_string(threads_.size()) + " have ended";
  const char* kind = in_warp_call        ? "warp-divergence"
                     : groups.size() > 1 ? "barrier-divergence"
                                         : "exited-threads";
  fail(kind, groups.front().first->site, text, nullptr);
}

void Scheduler::fail(std::string kind, Site site, const std::string& text, const void* pc) {
  failed_ = true;
  failure_ = {std::move(kind), launch_->name, site.file, site.line, text};
  failure_pc_ = pc;
}

void Scheduler::stop(std::string kind, Site site, const std::string& text, const void* pc) {
  running_ = nullptr;
  fail(std::move(kind), site,
       "block " + text_of(block_index_) + ", thread " + text_of(thread_->index) + ": " + text, pc);
  thread_->fiber->switch_to(main_);
  std::abort();
}

void Scheduler::out_of_steps(Site site, const void* pc) {
  running_ = nullptr;
  stop("step-limit", site,
       "an endless loop? The launch takes more than " + std::to_string(step_budget_) + " steps",
       pc);
}

}  // namespace ditto::emulation
