// GraphCapture: what code above core has to know of a CUDA graph that is being captured
// (core/cuda_graph.h).
//
// What a captured step does on the host happens once, at the capture, and numbers that it hands to
// kernels are frozen. Code that counts, or draws random numbers, therefore asks current_capture()
// and registers what every replay has to do. Compiled in all builds; without CUDA nothing is ever
// captured.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace ditto {

class GraphCapture {
 public:
  static constexpr size_t kMostNumbers = 1024;

  // `table`: device memory for kMostNumbers numbers.
  explicit GraphCapture(int64_t* table) : table_(table) {}

  // Every replay calls `action` on the host, before the work of the graph, in the order in which
  // actions and numbers were registered. The capture itself does not.
  void at_each_replay(std::function<void()> action) { actions_.push_back(std::move(action)); }
  // Where kernels find, in device memory, what `next` has returned to the present replay.
  const int64_t* number(std::function<int64_t()> next);

 private:
  friend class CudaGraph;
  int64_t* table_;
  std::vector<std::function<void()>> actions_;
  std::vector<int64_t> numbers_;  // of the present replay
};

namespace detail {
inline thread_local GraphCapture* current_capture = nullptr;
}

// The capture that the calling thread is in, or null.
inline GraphCapture* current_capture() { return detail::current_capture; }

// For work that cannot be part of a graph: throws "[cuda graph] <work> cannot be captured: <why>"
// in a capture, with the operation at hand.
void refuse_capture(const char* work, const char* why);

}  // namespace ditto
