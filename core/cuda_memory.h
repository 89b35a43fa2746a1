// Device memory in stream order from the driver's pools (cudaMallocAsync), counted; and pinned host
// memory.
//
// The pool keeps what is freed for the next allocation, so a training step in steady state asks the
// driver for nothing.
#pragma once

#include "core/cuda_context.h"
#include "core/storage.h"

namespace ditto {

// `bytes` (at least 1) on the context's device, 256-byte aligned, ready for work on `stream`. When
// the device is full, cached memory is returned to the driver once; then throws "[cuda] out of
// memory in conv2d: asked for ..." with the operation at hand, the size, and what tensors and the
// pool hold.
void* cuda_allocate(CudaContext& ctx, int64_t bytes, cudaStream_t stream);
// The bytes may be handed out again for work that follows on `stream`. Errors are swallowed: at the
// end of a process the driver may be gone.
void cuda_release(int device, void* block, int64_t bytes, cudaStream_t stream) noexcept;

// The same from and to the device's pool, also while the calling thread captures a graph
// (core/cuda_graph_memory.h), which the two above then give what they are asked for.
void* cuda_pool_allocate(CudaContext& ctx, int64_t bytes, cudaStream_t stream);
void cuda_pool_release(int device, void* block, int64_t bytes, cudaStream_t stream) noexcept;

// MemoryStats of a device: `system_allocations` counts calls of cudaMallocAsync.
MemoryStats cuda_memory_stats(int device);
void cuda_reset_peak_memory(int device);
void cuda_release_cached_memory(int device);

// Page-locked host memory, which the device copies from and to without a detour; null when there is
// none left.
void* cuda_allocate_pinned(int64_t bytes);
void cuda_release_pinned(void* block) noexcept;

}  // namespace ditto
