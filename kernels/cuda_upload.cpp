#include "kernels/cuda_upload.h"

#include <algorithm>
#include <map>

#include "core/cuda_memory.h"

namespace ditto::kernels {
namespace {

// A pinned buffer, and when the last copy out of it was made.
class Staging {
 public:
  Staging() = default;
  ~Staging() {
    // Errors are ignored: at the end of a process the driver may be gone already.
    if (done_) {
      cudaEventSynchronize(done_);
      cudaEventDestroy(done_);
    }
    if (memory_) cuda_release_pinned(memory_);
  }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  void copy(CudaContext& ctx, const void* bytes, size_t size, void* target) {
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

 private:
  void* memory_ = nullptr;
  size_t capacity_ = 0;
  cudaEvent_t done_ = nullptr;
};

struct Ring {
  Staging buffers[2];
  int next = 0;
};

}  // namespace

char* CudaUpload::send(CudaContext& ctx) const {
  const size_t size = std::max<size_t>(16, bytes_.size() + reserved_);
  auto* target = static_cast<char*>(ctx.workspace(static_cast<int64_t>(size)));
  if (bytes_.empty()) return target;
  thread_local std::map<int, Ring> rings;
  Ring& ring = rings[ctx.index()];
  ring.buffers[ring.next].copy(ctx, bytes_.data(), bytes_.size(), target);
  ring.next = 1 - ring.next;
  return target;
}

}  // namespace ditto::kernels
