#include "core/cuda_graph_memory.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <unordered_map>

#include "core/cuda_memory.h"

namespace ditto {
namespace {

thread_local GraphMemory* current = nullptr;

// Blocks in use, and whose they are.
struct InUse {
  std::shared_ptr<GraphMemory> owner;
  int64_t bytes;
};
struct Registry {
  std::mutex mutex;  // also guards GraphMemory's lists
  std::unordered_map<void*, InUse> blocks;
  std::atomic<size_t> size{0};  // so that programs without graphs pay one load per release
};
// Never destroyed: tensors with static storage may be released after main.
Registry& registry() {
  static auto* instance = new Registry;
  return *instance;
}

// Calls that another thread's or this one's capture would forbid are safe here: they concern
// streams that nobody captures.
class Relaxed {
 public:
  Relaxed() { cudaThreadExchangeStreamCaptureMode(&mode_); }
  ~Relaxed() { cudaThreadExchangeStreamCaptureMode(&mode_); }

 private:
  cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed;
};

}  // namespace

GraphMemory::~GraphMemory() {
  for (const Block& block : blocks_)
    cuda_pool_release(device_, block.memory, block.bytes, block.stream);
}

void* GraphMemory::allocate(CudaContext& ctx, int64_t bytes) {
  constexpr int64_t kAlign = 512;
  const int64_t size = (std::max<int64_t>(bytes, 1) + kAlign - 1) / kAlign * kAlign;
  Registry& all = registry();
  std::lock_guard lock(all.mutex);
  void* block = nullptr;
  int64_t given = size;
  // The smallest that fits, unless it would waste more than a quarter of itself.
  if (const auto found = free_.lower_bound(size);
      found != free_.end() && found->first <= size + size / 3) {
    given = found->first;
    block = found->second;
    free_.erase(found);
  } else {
    const Relaxed relaxed;
    block = cuda_pool_allocate(ctx, size, stream_);
    blocks_.push_back({block, size, stream_});
    bytes_ += size;
  }
  all.blocks.emplace(block, InUse{shared_from_this(), given});
  all.size = all.blocks.size();
  return block;
}

void GraphMemory::keep(void* block, int64_t bytes, cudaStream_t stream) {
  std::lock_guard lock(registry().mutex);
  blocks_.push_back({block, bytes, stream});
  bytes_ += bytes;
}

bool release_graph_block(void* block) noexcept {
  Registry& all = registry();
  if (all.size == 0) return false;
  std::shared_ptr<GraphMemory> owner;  // the last one must go without the lock
  std::lock_guard lock(all.mutex);
  const auto found = all.blocks.find(block);
  if (found == all.blocks.end()) return false;
  owner = std::move(found->second.owner);
  owner->free_.emplace(found->second.bytes, block);
  all.blocks.erase(found);
  all.size = all.blocks.size();
  return true;
}

GraphMemory* graph_memory(int device) {
  return current && current->device() == device ? current : nullptr;
}

GraphMemoryScope::GraphMemoryScope(GraphMemory& memory) { current = &memory; }
GraphMemoryScope::~GraphMemoryScope() { current = nullptr; }

}  // namespace ditto
