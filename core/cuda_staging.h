// CudaStaging: small tables from the host to the device without waiting.
//
// They go through pinned memory and one asynchronous copy each; a pageable source would make the
// host wait for the stream first. Two buffers take turns, so the host waits only when it is two
// tables ahead of the device.
#pragma once

#include <cstddef>

#include "core/cuda_context.h"

namespace ditto {

class CudaStaging {
 public:
  CudaStaging() = default;
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

   private:
    void* memory_ = nullptr;
    size_t capacity_ = 0;
    cudaEvent_t done_ = nullptr;
  };
  Buffer buffers_[2];
  int next_ = 0;
};

}  // namespace ditto
