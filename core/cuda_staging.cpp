#include "core/cuda_staging.h"

#include <cstring>

#include "core/cuda_memory.h"
#include "core/graph_capture.h"

namespace ditto {

void CudaStaging::send(CudaContext& ctx, const void* bytes, size_t size, void* target) {
  // A replay would send what the buffer holds by then.
  refuse_capture("a table from the host", "every step makes its own");
  if (buffers_.empty() || (buffers_.size() < most_ && buffers_[next_]->busy()))
    buffers_.insert(buffers_.begin() + static_cast<std::ptrdiff_t>(next_),
                    std::make_unique<Buffer>());
  buffers_[next_]->send(ctx, bytes, size, target);
  next_ = (next_ + 1) % buffers_.size();
}

bool CudaStaging::Buffer::busy() const {
  if (!done_) return false;
  const cudaError_t status = cudaEventQuery(done_);
  if (status == cudaErrorNotReady) {
    cudaGetLastError();  // not an error, but the runtime keeps it as one
    return true;
  }
  cuda_check(status, "cudaEventQuery");
  return false;
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
