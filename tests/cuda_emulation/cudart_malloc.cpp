// Allocation of device and pinned memory, stream-ordered allocation and pools of the cudart double.
#include <algorithm>

#include "tests/cuda_emulation/cudart_memory.h"
#include "tests/cuda_emulation/cudart_runtime.h"

namespace ditto::emulation {
namespace {

MemoryPool* pool(cudaMemPool_t handle) {
  // A handle is the address of the pool's number.
  Runtime& rt = runtime();
  for (const auto& device : rt.devices)
    if (reinterpret_cast<cudaMemPool_t>(device.get()) == handle)
      return &memory().pools[static_cast<size_t>(device->index)];
  return nullptr;
}

cudaError_t allocate_pinned(Runtime& rt, void** pointer, size_t bytes) {
  if (!pointer) return cudaErrorInvalidValue;
  *pointer = nullptr;
  if (const cudaError_t error = rt.unsafe_call(); error != cudaSuccess) return error;
  if (bytes == 0) return cudaSuccess;
  const Allocation* buffer = memory().allocate(MemoryKind::Pinned, current_device(), bytes);
  if (!buffer) return cudaErrorMemoryAllocation;
  *pointer = buffer->begin;
  return cudaSuccess;
}

// A buffer that may be freed now; a second free is a finding as well as an error.
cudaError_t claim(void* pointer, Allocation** buffer, const char* function) {
  *buffer = memory().starting_at(pointer);
  if (*buffer && !(*buffer)->freeing) {
    (*buffer)->freed = CallStack::here();
    return cudaSuccess;
  }
  const CallStack stack = CallStack::here();
  report_call("invalid-free", function, stack,
              "frees " + memory().describe(pointer) + "  here\n" + stack.text() +
                  (*buffer ? "  freed before\n" + (*buffer)->freed.text() : ""));
  return cudaErrorInvalidValue;
}

// In a capture an allocation is a node: the memory has its address at once, and exists between the
// two nodes of every launch.
cudaError_t allocate_captured(Runtime& rt, Stream& stream, void** pointer, size_t bytes) {
  Capture& capture = *stream.capture;
  if (capture.invalid) return cudaErrorStreamCaptureInvalidated;
  Allocation* buffer = memory().allocate(MemoryKind::Graph, stream.device, bytes);
  if (!buffer) return cudaErrorMemoryAllocation;
  auto graph_memory = std::make_shared<GraphMemory>();
  graph_memory->begin = buffer->begin;
  graph_memory->bytes = bytes;
  buffer->graph = graph_memory;
  capture.graph.memory.push_back(graph_memory);
  *pointer = buffer->begin;
  GraphMemory* const raw = graph_memory.get();  // lives as long as the graph and its launches
  return rt.submit(stream, {"cudaMallocAsync",
                            WorkKind::Allocate,
                            [raw, device = stream.device] {
                              raw->live = true;
                              memory().enter(raw->begin, raw->bytes, device);
                            },
                            {{buffer->begin, bytes, true}},
                            CallStack::here()});
}

}  // namespace
}  // namespace ditto::emulation

using namespace ditto::emulation;

extern "C" {

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  return api_call(
      "cudaMalloc",
      [&](Runtime& rt) {
        if (!pointer) return cudaErrorInvalidValue;
        if (const cudaError_t error = rt.unsafe_call(); error != cudaSuccess) return error;
        *pointer = nullptr;
        if (bytes == 0) return cudaSuccess;
        const Allocation* buffer = memory().allocate(MemoryKind::Malloc, current_device(), bytes);
        if (!buffer) return cudaErrorMemoryAllocation;
        *pointer = buffer->begin;
        return cudaSuccess;
      },
      cudaErrorMemoryAllocation);
}

cudaError_t cudaFree(void* pointer) {
  return api_call("cudaFree", [&](Runtime& rt) {
    if (const cudaError_t error = rt.unsafe_call(); error != cudaSuccess) return error;
    if (!pointer) return cudaSuccess;
    Allocation* buffer = nullptr;
    if (const cudaError_t error = claim(pointer, &buffer, "cudaFree"); error != cudaSuccess)
      return error;
    if (buffer->kind == MemoryKind::Pinned) return cudaErrorInvalidValue;
    rt.synchronize_device(buffer->device);
    if (const auto graph = buffer->graph.lock()) {
      if (!graph->live) return cudaErrorInvalidValue;
      graph->live = graph->kept = false;
      memory().leave(graph->begin, graph->bytes);
      return cudaSuccess;
    }
    memory().release(buffer->begin);
    return cudaSuccess;
  });
}

cudaError_t cudaMallocAsync(void** pointer, size_t bytes, cudaStream_t handle) {
  return api_call(
      "cudaMallocAsync",
      [&](Runtime& rt) {
        Stream* stream = rt.stream(handle);
        if (!stream) return cudaErrorInvalidResourceHandle;
        if (!pointer) return cudaErrorInvalidValue;
        *pointer = nullptr;
        if (bytes == 0) return cudaSuccess;
        if (stream->capture) return allocate_captured(rt, *stream, pointer, bytes);
        Allocation* buffer = memory().allocate(MemoryKind::Pool, stream->device, bytes);
        if (!buffer) {
          // Frees that were submitted before give their bytes back in time.
          rt.synchronize_device(stream->device);
          buffer = memory().allocate(MemoryKind::Pool, stream->device, bytes);
        }
        if (!buffer) return cudaErrorMemoryAllocation;
        *pointer = buffer->begin;
        return rt.submit(*stream, {"cudaMallocAsync",
                                   WorkKind::Allocate,
                                   nullptr,
                                   {{buffer->begin, bytes, true}},
                                   buffer->made});
      },
      cudaErrorMemoryAllocation);
}

cudaError_t cudaFreeAsync(void* pointer, cudaStream_t handle) {
  return api_call("cudaFreeAsync", [&](Runtime& rt) {
    Stream* stream = rt.stream(handle);
    if (!stream) {  // undefined on hardware
      report_call("invalid-free", "cudaFreeAsync", CallStack::here(), "on a destroyed stream");
      return cudaErrorInvalidResourceHandle;
    }
    if (!pointer) return cudaSuccess;
    Allocation* buffer = nullptr;
    if (const cudaError_t error = claim(pointer, &buffer, "cudaFreeAsync"); error != cudaSuccess)
      return error;
    if (buffer->kind == MemoryKind::Pinned) return cudaErrorInvalidValue;
    Work work{
        "cudaFreeAsync", WorkKind::Free, nullptr, {{pointer, buffer->bytes, true}}, buffer->freed};
    if (const auto graph = buffer->graph.lock()) {
      // A node of the graph itself, or a free of what the last launch left.
      if (stream->capture)
        graph->freed_inside = true;
      else
        graph->kept = false;
      work.run = [raw = graph.get()] {
        raw->live = false;
        memory().leave(raw->begin, raw->bytes);
      };
      return rt.submit(*stream, std::move(work));
    }
    if (stream->capture) {
      // A graph cannot free what it has not allocated.
      stream->capture->invalid = true;
      return cudaErrorInvalidValue;
    }
    buffer->freeing = true;
    work.run = [begin = buffer->begin] { memory().release(begin); };
    return rt.submit(*stream, std::move(work));
  });
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  return api_call("cudaMemGetInfo", [&](Runtime&) {
    const auto device = static_cast<size_t>(current_device());
    const uint64_t used = memory().allocated[device] + memory().pools[device].reserved;
    *total = memory().limit;
    *free = used < memory().limit ? memory().limit - used : 0;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int device) {
  return api_call("cudaDeviceGetDefaultMemPool", [&](Runtime& rt) {
    if (device < 0 || device >= static_cast<int>(rt.devices.size())) return cudaErrorInvalidDevice;
    *pool = reinterpret_cast<cudaMemPool_t>(rt.devices[static_cast<size_t>(device)].get());
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetMemPool(cudaMemPool_t* pool, int device) {
  return cudaDeviceGetDefaultMemPool(pool, device);
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t handle, cudaMemPoolAttr attribute, void* value) {
  return api_call("cudaMemPoolSetAttribute", [&](Runtime&) {
    MemoryPool* p = pool(handle);
    if (!p || !value) return cudaErrorInvalidValue;
    switch (attribute) {
      case cudaMemPoolReuseFollowEventDependencies:
      case cudaMemPoolReuseAllowOpportunistic:
      case cudaMemPoolReuseAllowInternalDependencies:
        p->reuse[attribute] = *static_cast<int*>(value);
        return cudaSuccess;
      case cudaMemPoolAttrReleaseThreshold:
        p->threshold = *static_cast<uint64_t*>(value);
        return cudaSuccess;
      case cudaMemPoolAttrReservedMemHigh:  // can only be reset
        if (*static_cast<uint64_t*>(value) != 0) return cudaErrorInvalidValue;
        p->reserved_high = p->reserved;
        return cudaSuccess;
      case cudaMemPoolAttrUsedMemHigh:
        if (*static_cast<uint64_t*>(value) != 0) return cudaErrorInvalidValue;
        p->used_high = p->used;
        return cudaSuccess;
      default:
        return cudaErrorInvalidValue;
    }
  });
}

cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t handle, cudaMemPoolAttr attribute, void* value) {
  return api_call("cudaMemPoolGetAttribute", [&](Runtime&) {
    MemoryPool* p = pool(handle);
    if (!p || !value) return cudaErrorInvalidValue;
    const auto put = [&](uint64_t number) {
      *static_cast<uint64_t*>(value) = number;
      return cudaSuccess;
    };
    switch (attribute) {
      case cudaMemPoolReuseFollowEventDependencies:
      case cudaMemPoolReuseAllowOpportunistic:
      case cudaMemPoolReuseAllowInternalDependencies: {
        const auto found = p->reuse.find(attribute);
        *static_cast<int*>(value) = found == p->reuse.end() ? 1 : found->second;
        return cudaSuccess;
      }
      case cudaMemPoolAttrReleaseThreshold:
        return put(p->threshold);
      case cudaMemPoolAttrReservedMemCurrent:
        return put(p->reserved);
      case cudaMemPoolAttrReservedMemHigh:
        return put(p->reserved_high);
      case cudaMemPoolAttrUsedMemCurrent:
        return put(p->used);
      case cudaMemPoolAttrUsedMemHigh:
        return put(p->used_high);
      default:
        return cudaErrorInvalidValue;
    }
  });
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t handle, size_t keep) {
  return api_call("cudaMemPoolTrimTo", [&](Runtime&) {
    MemoryPool* p = pool(handle);
    if (!p) return cudaErrorInvalidValue;
    p->reserved = std::max(p->used, std::min<uint64_t>(p->reserved, keep));
    return cudaSuccess;
  });
}

cudaError_t cudaHostAlloc(void** pointer, size_t bytes, unsigned) {
  return api_call(
      "cudaHostAlloc", [&](Runtime& rt) { return allocate_pinned(rt, pointer, bytes); },
      cudaErrorMemoryAllocation);
}

cudaError_t cudaMallocHost(void** pointer, size_t bytes) {
  return api_call(
      "cudaMallocHost", [&](Runtime& rt) { return allocate_pinned(rt, pointer, bytes); },
      cudaErrorMemoryAllocation);
}

cudaError_t cudaFreeHost(void* pointer) {
  return api_call("cudaFreeHost", [&](Runtime& rt) {
    if (const cudaError_t error = rt.unsafe_call(); error != cudaSuccess) return error;
    if (!pointer) return cudaSuccess;
    Allocation* buffer = nullptr;
    if (const cudaError_t error = claim(pointer, &buffer, "cudaFreeHost"); error != cudaSuccess)
      return error;
    if (buffer->kind != MemoryKind::Pinned) return cudaErrorInvalidValue;
    // Nothing says that it waits: a copy that still needs the buffer will be a finding.
    memory().release(buffer->begin);
    return cudaSuccess;
  });
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  return api_call("cudaPointerGetAttributes", [&](Runtime&) {
    *attributes = {};
    const Allocation* buffer = memory().around(pointer);
    attributes->device = buffer ? buffer->device : -2;
    attributes->type = !buffer                              ? cudaMemoryTypeUnregistered
                       : buffer->kind == MemoryKind::Pinned ? cudaMemoryTypeHost
                                                            : cudaMemoryTypeDevice;
    if (buffer) attributes->devicePointer = const_cast<void*>(pointer);
    if (!buffer || buffer->kind == MemoryKind::Pinned)
      attributes->hostPointer = const_cast<void*>(pointer);
    return cudaSuccess;
  });
}

}  // extern "C"
