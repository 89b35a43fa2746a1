#include "core/cuda_memory.h"

#include <algorithm>
#include <deque>
#include <mutex>

#include "core/cuda_graph_memory.h"
#include "core/current_op.h"
#include "core/on_device.h"

namespace ditto {
namespace {

struct Counters {
  MemoryStats stats;
  cudaMemPool_t pool = nullptr;
};

std::mutex& counters_mutex() {
  static auto* mutex = new std::mutex;
  return *mutex;
}

// Never destroyed: tensors with static storage may be released after main. Call with the mutex
// held.
Counters& counters(int device) {
  static auto* all = new std::deque<Counters>;
  if (static_cast<size_t>(device) >= all->size()) all->resize(static_cast<size_t>(device) + 1);
  return (*all)[static_cast<size_t>(device)];
}

cudaMemPool_t pool_of(int device) {
  std::lock_guard lock(counters_mutex());
  Counters& c = counters(device);
  if (!c.pool) {
    cudaMemPool_t pool = nullptr;
    cuda_check(cudaDeviceGetDefaultMemPool(&pool, device), "cudaDeviceGetDefaultMemPool");
    uint64_t keep = UINT64_MAX;  // by default a pool gives everything back at each synchronisation
    cuda_check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep),
               "cudaMemPoolSetAttribute");
    c.pool = pool;
  }
  return c.pool;
}

int64_t pool_bytes(cudaMemPool_t pool, cudaMemPoolAttr what) {
  uint64_t value = 0;
  cuda_check(cudaMemPoolGetAttribute(pool, what, &value), "cudaMemPoolGetAttribute");
  return static_cast<int64_t>(value);
}

[[noreturn]] void out_of_memory(CudaContext& ctx, int64_t bytes) {
  const MemoryStats held = cuda_memory_stats(ctx.index());
  size_t free = 0, total = 0;
  if (cudaMemGetInfo(&free, &total) != cudaSuccess) cudaGetLastError();
  const char* op = current_op();
  fail(std::string("[cuda] out of memory") + (op ? std::string(" in ") + op : "") + ": asked for",
       bytes, "bytes on " + to_string(ctx.device()) + ", where tensors hold", held.current,
       "(at most", held.peak, "so far) and the pool keeps", held.cached, "more; the driver reports",
       free, "free of", total);
}

}  // namespace

void* cuda_allocate(CudaContext& ctx, int64_t bytes, cudaStream_t stream) {
  if (GraphMemory* memory = graph_memory(ctx.index())) return memory->allocate(ctx, bytes);
  return cuda_pool_allocate(ctx, bytes, stream);
}

void cuda_release(int device, void* block, int64_t bytes, cudaStream_t stream) noexcept {
  if (!block || release_graph_block(block)) return;
  if (GraphMemory* memory = graph_memory(device))
    memory->keep(block, bytes, stream);
  else
    cuda_pool_release(device, block, bytes, stream);
}

void* cuda_pool_allocate(CudaContext& ctx, int64_t bytes, cudaStream_t stream) {
  const cudaMemPool_t pool = pool_of(ctx.index());
  const auto size = static_cast<size_t>(std::max<int64_t>(bytes, 1));
  void* block = nullptr;
  cudaError_t status = cudaMallocAsync(&block, size, stream);
  if (status == cudaErrorMemoryAllocation) {
    // What was freed in stream order is only returned to the driver once the stream has come so
    // far.
    cudaGetLastError();
    cuda_check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
    cuda_check(cudaMemPoolTrimTo(pool, 0), "cudaMemPoolTrimTo");
    status = cudaMallocAsync(&block, size, stream);
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      out_of_memory(ctx, bytes);
    }
  }
  cuda_check(status, "cudaMallocAsync of", bytes, "bytes");
  std::lock_guard lock(counters_mutex());
  MemoryStats& stats = counters(ctx.index()).stats;
  stats.current += bytes;
  stats.peak = std::max(stats.peak, stats.current);
  ++stats.system_allocations;
  return block;
}

void cuda_pool_release(int device, void* block, int64_t bytes, cudaStream_t stream) noexcept {
  if (cudaFreeAsync(block, stream) != cudaSuccess) cudaGetLastError();
  std::lock_guard lock(counters_mutex());
  counters(device).stats.current -= bytes;
}

MemoryStats cuda_memory_stats(int device) {
  cuda_context(device);
  const cudaMemPool_t pool = pool_of(device);
  const int64_t cached = pool_bytes(pool, cudaMemPoolAttrReservedMemCurrent) -
                         pool_bytes(pool, cudaMemPoolAttrUsedMemCurrent);
  std::lock_guard lock(counters_mutex());
  MemoryStats stats = counters(device).stats;
  stats.cached = cached;
  return stats;
}

void cuda_reset_peak_memory(int device) {
  std::lock_guard lock(counters_mutex());
  MemoryStats& stats = counters(device).stats;
  stats.peak = stats.current;
}

void cuda_release_cached_memory(int device) {
  cuda_context(device).synchronize();
  cuda_check(cudaMemPoolTrimTo(pool_of(device), 0), "cudaMemPoolTrimTo");
}

void* cuda_allocate_pinned(int64_t bytes) {
  void* block = nullptr;
  const cudaError_t status = cudaHostAlloc(&block, static_cast<size_t>(std::max<int64_t>(bytes, 1)),
                                           cudaHostAllocPortable);
  if (status == cudaSuccess) return block;
  cudaGetLastError();
  check(status == cudaErrorMemoryAllocation, "[cuda] cudaHostAlloc of", bytes,
        "bytes:", cuda_error_text(status));
  return nullptr;
}

void cuda_release_pinned(void* block) noexcept {
  if (cudaFreeHost(block) != cudaSuccess) cudaGetLastError();
}

}  // namespace ditto
