// Prefetch: numbered results, made ahead of time by worker threads and taken in order.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "core/context.h"

namespace ditto::data {

// One thread starts, takes and stops; the workers only make. What they make must depend on its
// number alone, because which of them makes it, and when, is chance.
template <class Result>
class Prefetch {
 public:
  using Make = std::function<Result(int64_t index)>;

  // `ahead` results at most wait to be taken (0: two per worker). Without workers take() makes the
  // result itself, with the caller's threads.
  Prefetch(int workers, int ahead)
      : wanted_(workers),
        slots_(static_cast<size_t>(ahead > 0 ? ahead : 2 * std::max(workers, 1))) {}

  // take() will return make(first), make(first + 1), ..., make(end - 1).
  void start(Make make, int64_t first, int64_t end) {
    while (static_cast<int>(workers_.size()) < wanted_)
      workers_.emplace_back([this](const std::stop_token& stop) { work(stop); });
    {
      std::lock_guard lock(mutex_);
      make_ = std::make_shared<const Make>(std::move(make));
      claimed_ = delivered_ = first;
      end_ = end;
    }
    work_.notify_all();
  }

  // Throws away what was made ahead. Workers in the middle of a result will see that it is no
  // longer wanted, and drop it.
  void stop() {
    std::lock_guard lock(mutex_);
    make_ = nullptr;
    for (Slot& slot : slots_) slot = {};
  }

  bool running() const { return make_ != nullptr; }

  // What take() will return, if it is made already; it stays here.
  Result* peek() {
    if (wanted_ == 0 || !make_ || delivered_ >= end_) return nullptr;
    std::lock_guard lock(mutex_);
    Slot& slot = slots_[static_cast<size_t>(delivered_) % slots_.size()];
    return slot.result ? &*slot.result : nullptr;
  }

  // An exception of make() is thrown here, when its result is due; nothing runs any more then.
  Result take() {
    if (wanted_ == 0) {
      Result result = (*make_)(delivered_);
      ++delivered_;
      return result;
    }
    std::unique_lock lock(mutex_);
    Slot& slot = slots_[static_cast<size_t>(delivered_) % slots_.size()];
    ready_.wait(lock, [&] { return slot.result || slot.error; });
    Slot taken = std::exchange(slot, {});
    ++delivered_;
    lock.unlock();
    if (taken.error) {
      stop();
      std::rethrow_exception(taken.error);
    }
    work_.notify_one();
    return std::move(*taken.result);
  }

 private:
  struct Slot {
    std::optional<Result> result;
    std::exception_ptr error;
  };

  void work(const std::stop_token& stop) {
    cpu_context().threads = 1;  // the other cores belong to the network
    std::unique_lock lock(mutex_);
    for (;;) {
      work_.wait(lock, stop, [&] {
        return make_ && claimed_ < end_ &&
               claimed_ < delivered_ + static_cast<int64_t>(slots_.size());
      });
      if (stop.stop_requested()) return;
      const int64_t index = claimed_++;
      const std::shared_ptr<const Make> make = make_;
      lock.unlock();
      Slot slot;
      try {
        slot.result = (*make)(index);
      } catch (...) {
        slot.error = std::current_exception();
      }
      lock.lock();
      if (make != make_) continue;
      slots_[static_cast<size_t>(index) % slots_.size()] = std::move(slot);
      ready_.notify_one();
    }
  }

  const int wanted_;
  std::mutex mutex_;  // guards what follows; the consumer reads make_, which it alone sets, freely
  std::condition_variable_any work_;
  std::condition_variable ready_;
  std::shared_ptr<const Make> make_;   // null while stopped
  int64_t claimed_ = 0, end_ = 0;      // results up to claimed_ are made or being made
  int64_t delivered_ = 0;              // results up to here were returned
  std::vector<Slot> slots_;            // result i waits in slot i % size
  std::vector<std::jthread> workers_;  // last member: joined before the others go
};

}  // namespace ditto::data
