// CudaStaging: small tables from the host to the device without waiting.
//
// They go through pinned memory and one asynchronous copy each; a pageable source would make the
// host wait for the stream first. Buffers take turns, as many as the host is tables ahead of the
// device; it waits only when those are `most`.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "core/cuda_context.h"

namespace ditto {

class CudaStaging {
 public:
  explicit CudaStaging(size_t most = 2) : most_(most) {}
  // Copies `size` bytes, on the context's stream, to `target` on the device. All calls of an object
  // are for one device.
  void send(CudaContext& ctx, const void* bytes, size_t size, void* target);

 private:
  // A pinned buffer, and when the last copy out of it was made.
  class Buffer {
   public:
    Buffer() = default;
    ~Buffer();
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    void send(CudaContext& ctx, const void* bytes, size_t size, void* target);
    bool busy() const;  // the last copy is not over

   private:
    void* memory_ = nullptr;
    size_t capacity_ = 0;
    cudaEvent_t done_ = nullptr;
  };
  size_t most_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  size_t next_ = 0;  // the one that was used least recently
};

}  // namespace ditto
