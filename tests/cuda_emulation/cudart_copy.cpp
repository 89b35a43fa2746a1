// Copies and memsets of the cudart double.
//
// What the host may do with its buffers afterwards follows CUDA: from pageable memory the source
// has been taken when the call returns; to pageable memory the call waits; pinned memory is used
// later, when the operation runs. Synchronous copies wait unless they stay on the device.
#include <cstring>
#include <utility>

#include "tests/cuda_emulation/cudart_memory.h"
#include "tests/cuda_emulation/cudart_runtime.h"

namespace ditto::emulation {
namespace {

enum class Space { Pageable, Pinned, Device };

Space space_of(const void* pointer) {
  const Allocation* buffer = memory().around(pointer);
  return !buffer                              ? Space::Pageable
         : buffer->kind == MemoryKind::Pinned ? Space::Pinned
                                              : Space::Device;
}

// The direction of a copy: as asked, or by what the pointers are.
cudaMemcpyKind direction(const void* to, const void* from, cudaMemcpyKind kind) {
  if (kind != cudaMemcpyDefault) return kind;
  const bool to_device = space_of(to) == Space::Device;
  if (space_of(from) == Space::Device)
    return to_device ? cudaMemcpyDeviceToDevice : cudaMemcpyDeviceToHost;
  return to_device ? cudaMemcpyHostToDevice : cudaMemcpyHostToHost;
}

const char* name_of(cudaMemcpyKind kind) {
  switch (kind) {
    case cudaMemcpyHostToDevice:
      return "copy from host to device";
    case cudaMemcpyDeviceToHost:
      return "copy from device to host";
    case cudaMemcpyDeviceToDevice:
      return "copy from device to device";
    default:
      return "copy from host to host";
  }
}

cudaError_t copy(Runtime& rt, void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                 Stream* stream, bool asynchronous) {
  if (!stream) return cudaErrorInvalidResourceHandle;
  if (kind < cudaMemcpyHostToHost || kind > cudaMemcpyDefault)
    return cudaErrorInvalidMemcpyDirection;
  if (bytes == 0) return cudaSuccess;
  if (!to || !from) return cudaErrorInvalidValue;
  kind = direction(to, from, kind);
  const bool from_host = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyHostToHost;
  const bool to_host = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyHostToHost;
  if ((space_of(from) == Space::Device && from_host) || (space_of(to) == Space::Device && to_host))
    return cudaErrorInvalidValue;  // the direction is not that of the pointers

  Work work{name_of(kind),
            WorkKind::Copy,
            nullptr,
            {{from, bytes, false, from_host}, {to, bytes, true, to_host}},
            CallStack::here()};
  const bool captured = stream->capture != nullptr;
  if (asynchronous && !captured && from_host && space_of(from) == Space::Pageable) {
    const auto* first = static_cast<const char*>(from);
    auto taken = std::make_shared<std::vector<char>>(first, first + bytes);
    work.run = [to, taken] { std::memcpy(to, taken->data(), taken->size()); };
    work.accesses.erase(work.accesses.begin());
  } else {
    work.run = [to, from, bytes] { std::memmove(to, from, bytes); };
  }
  OperationPtr operation;
  if (const cudaError_t error = rt.submit(*stream, std::move(work), &operation);
      error != cudaSuccess)
    return error;
  const bool waits =
      asynchronous ? to_host && space_of(to) == Space::Pageable : kind != cudaMemcpyDeviceToDevice;
  if (waits && operation) {
    rt.synchronize({operation});
    return rt.devices[static_cast<size_t>(stream->device)]->error;
  }
  return cudaSuccess;
}

cudaError_t set(Runtime& rt, void* to, int value, size_t bytes, Stream* stream) {
  if (!stream) return cudaErrorInvalidResourceHandle;
  if (bytes == 0) return cudaSuccess;
  if (space_of(to) != Space::Device) return cudaErrorInvalidValue;
  return rt.submit(*stream, {"memset",
                             WorkKind::Copy,
                             [to, value, bytes] { std::memset(to, value, bytes); },
                             {{to, bytes, true}},
                             CallStack::here()});
}

// The synchronous calls use the default stream, which no capture may meet.
cudaError_t default_stream(Runtime& rt, Stream** stream) {
  *stream = rt.stream(nullptr);
  return rt.unsafe_call();
}

}  // namespace
}  // namespace ditto::emulation

using namespace ditto::emulation;

extern "C" {

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  return api_call("cudaMemcpy", [&](Runtime& rt) {
    Stream* stream = nullptr;
    if (const cudaError_t error = default_stream(rt, &stream); error != cudaSuccess) return error;
    return copy(rt, to, from, bytes, kind, stream, false);
  });
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return api_call("cudaMemcpyAsync", [&](Runtime& rt) {
    return copy(rt, to, from, bytes, kind, rt.stream(stream), true);
  });
}

cudaError_t cudaMemcpyPeerAsync(void* to, int to_device, const void* from, int from_device,
                                size_t bytes, cudaStream_t stream) {
  return api_call("cudaMemcpyPeerAsync", [&](Runtime& rt) {
    const auto devices = static_cast<int>(rt.devices.size());
    if (to_device < 0 || to_device >= devices || from_device < 0 || from_device >= devices)
      return cudaErrorInvalidDevice;
    for (const auto& [pointer, device] : {std::pair<const void*, int>(to, to_device),
                                          std::pair<const void*, int>(from, from_device)}) {
      const Allocation* buffer = memory().around(pointer);
      if (bytes > 0 && (!buffer || buffer->kind == MemoryKind::Pinned || buffer->device != device))
        return cudaErrorInvalidValue;
    }
    return copy(rt, to, from, bytes, cudaMemcpyDeviceToDevice, rt.stream(stream), true);
  });
}

cudaError_t cudaMemset(void* to, int value, size_t bytes) {
  return api_call("cudaMemset", [&](Runtime& rt) {
    Stream* stream = nullptr;
    if (const cudaError_t error = default_stream(rt, &stream); error != cudaSuccess) return error;
    return set(rt, to, value, bytes, stream);
  });
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  return api_call("cudaMemsetAsync",
                  [&](Runtime& rt) { return set(rt, to, value, bytes, rt.stream(stream)); });
}

}  // extern "C"
