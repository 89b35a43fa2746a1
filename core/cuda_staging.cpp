#include "core/cuda_staging.h"

#include <cstring>

#include "core/cuda_memory.h"
#include "core/graph_capture.h"

namespace ditto {

void CudaStaging::send(CudaContext& ctx, const void* bytes, size_t size, void* target) {
  buffers_[next_].send(ctx, bytes, size, target);
  next_ = 1 - next_;
}

CudaStaging::Buffer::~Buffer() {
  // Errors are ignored: at the end of a process the driver may be gone already.
  if (done_) {
    cudaEventSynchronize(done_);
    cudaEventDestroy(done_);
  }
  if (memory_) cuda_release_pinned(memory_);
}

void CudaStaging::Buffer::send(CudaContext& ctx, const void* bytes, size_t size, void* target) {
  // A replay would send what the buffer holds by then.
  refuse_capture("a table from the host", "every step makes its own");
  if (!done_)
    cuda_check(cudaEventCreateWithFlags(&done_, cudaEventDisableTiming), "cudaEventCreate");
  cuda_check(cudaEventSynchronize(done_), "cudaEventSynchronize");
  if (capacity_ < size) {
    if (memory_) cuda_release_pinned(memory_);
    capacity_ = 0;
    memory_ = cuda_allocate_pinned(static_cast<int64_t>(2 * size));
    check(memory_ != nullptr, "[cuda] out of pinned memory: asked for", 2 * size, "bytes");
    capacity_ = 2 * size;
  }
  std::memcpy(memory_, bytes, size);
  cuda_check(cudaMemcpyAsync(target, memory_, size, cudaMemcpyHostToDevice, ctx.stream()),
             "cudaMemcpyAsync of a table of", size, "bytes");
  cuda_check(cudaEventRecord(done_, ctx.stream()), "cudaEventRecord");
}

}  // namespace ditto
