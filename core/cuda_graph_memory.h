// GraphMemory: device memory for a CUDA graph, which keeps its addresses for as long as the graph
// lives.
//
// While a thread captures, cuda_allocate() takes from here. What is released during the capture is
// given to later work of the same capture, as one stream runs it in order; what is alive at its end
// (results, gradients) is written anew by every replay. Blocks come from the device's pool, outside
// of the graph: a graph with allocation nodes of its own cannot be updated, and what its launches
// leave would have to be freed between them. They go back when the graph and all tensors that were
// made in the capture are gone.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "core/cuda_context.h"

namespace ditto {

class GraphMemory : public std::enable_shared_from_this<GraphMemory> {
 public:
  // Blocks are allocated and freed in the order of `stream`, which replays run on.
  GraphMemory(int device, cudaStream_t stream) : device_(device), stream_(stream) {}
  ~GraphMemory();
  GraphMemory(const GraphMemory&) = delete;
  GraphMemory& operator=(const GraphMemory&) = delete;

  void* allocate(CudaContext& ctx, int64_t bytes);
  // A block from elsewhere that is released while the capture goes on: captured work may use it, so
  // it lives as long as the graph.
  void keep(void* block, int64_t bytes, cudaStream_t stream);
  int device() const { return device_; }
  int64_t bytes() const { return bytes_; }

 private:
  friend bool release_graph_block(void* block) noexcept;
  struct Block {
    void* memory;
    int64_t bytes;
    cudaStream_t stream;
  };

  int device_;
  cudaStream_t stream_;
  int64_t bytes_ = 0;
  std::vector<Block> blocks_;
  std::multimap<int64_t, void*> free_;  // by size
};

// Takes back a block of any GraphMemory; false when it is none.
bool release_graph_block(void* block) noexcept;

// The memory of the capture that the calling thread is in on this device, or null.
GraphMemory* graph_memory(int device);
// Lets the calling thread allocate from `memory` while it lives.
class GraphMemoryScope {
 public:
  explicit GraphMemoryScope(GraphMemory& memory);
  ~GraphMemoryScope();
  GraphMemoryScope(const GraphMemoryScope&) = delete;
  GraphMemoryScope& operator=(const GraphMemoryScope&) = delete;
};

}  // namespace ditto
