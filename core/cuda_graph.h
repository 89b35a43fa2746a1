// CudaGraph: device work recorded once and then started as a whole, again and again, by a single
// call: what a step of a small network costs on the host is mostly the launches of its kernels.
//
//   CudaGraph graph(0);
//   step(x);                            // once without: handles, plans and pinned memory are made
//   graph.capture([&] { y = step(x); });
//   x.copy_(next);
//   graph.replay();                     // y holds the result for `next`
//
// nn/graphed_step.h does this for a training step, and falls back where it cannot be done.
#pragma once

#include <functional>
#include <memory>
#include <thread>

#include "core/cuda_graph_memory.h"
#include "core/cuda_staging.h"
#include "core/cuda_stream.h"
#include "core/graph_capture.h"

namespace ditto {

class CudaGraph {
 public:
  explicit CudaGraph(int device);
  ~CudaGraph();
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;

  // Records what `work` does on the device; nothing runs. Tensors that `work` makes keep their
  // place; those that it uses must keep theirs, with the same storage, for as long as the graph is
  // replayed. Numbers that the host hands to kernels are frozen, and so are the branches that it
  // takes (core/graph_capture.h has the way out). Work that cannot be captured (a copy between host
  // and device, a wait) throws an Error that names it; the graph is then as before the call and the
  // device as if it had not been tried. Once per object.
  void capture(const std::function<void()>& work);
  bool captured() const { return exec_ != nullptr; }

  // Puts the recorded work on the stream that was the thread's at the capture. By the same thread:
  // bad values that kernels meet are reported to it (core/cuda_fault.h).
  void replay();

  // Kernels, copies and fills in the graph.
  int64_t nodes() const { return nodes_; }
  // Device memory that stays allocated for it.
  int64_t memory_bytes() const { return memory_ ? memory_->bytes() : 0; }

 private:
  class Recording;
  int device_;
  std::thread::id thread_;
  cudaStream_t stream_ = nullptr;  // of replays
  cudaGraphExec_t exec_ = nullptr;
  int64_t nodes_ = 0;
  std::shared_ptr<GraphMemory> memory_;
  void* table_ = nullptr;  // of the numbers that change
  std::unique_ptr<GraphCapture> host_;
  CudaStaging staging_;
};

}  // namespace ditto
