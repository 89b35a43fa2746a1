// Streams, events, host functions and launches of the cudart double.
#include <algorithm>

#include "tests/cuda_emulation/cudart.h"
#include "tests/cuda_emulation/cudart_memory.h"
#include "tests/cuda_emulation/cudart_runtime.h"
#include "tests/cuda_emulation/simt.h"

namespace ditto::emulation {
namespace {

cudaError_t create(Runtime& rt, cudaStream_t* handle, unsigned flags, int priority) {
  if (!handle || (flags & ~unsigned{cudaStreamNonBlocking}) != 0) return cudaErrorInvalidValue;
  auto stream = std::make_unique<Stream>();
  stream->device = current_device();
  stream->flags = flags;
  stream->priority = std::clamp(priority, -5, 0);
  stream->lane = rt.new_lane();
  static unsigned long long next_id = 1;
  stream->id = next_id++;
  *handle = reinterpret_cast<cudaStream_t>(stream.get());
  rt.device().streams.push_back(std::move(stream));
  return cudaSuccess;
}

// Waiting for a stream that is being captured cannot work, and ends the capture.
cudaError_t may_wait(const Stream& stream) {
  if (!stream.capture) return cudaSuccess;
  stream.capture->invalid = true;
  return cudaErrorStreamCaptureUnsupported;
}

cudaError_t record(Runtime& rt, Stream* stream, Event* event) {
  if (!stream || !event || stream->device != event->device) return cudaErrorInvalidResourceHandle;
  if (stream->capture) {
    if (stream->capture->invalid) return cudaErrorStreamCaptureInvalidated;
    event->capture = stream->capture;
    event->tail = stream->tail;
    event->recorded = nullptr;
    return cudaSuccess;
  }
  event->capture = nullptr;
  return rt.submit(*stream, {"event record", WorkKind::Marker, nullptr, {}, CallStack{}},
                   &event->recorded);
}

cudaError_t wait(Runtime& rt, Stream* stream, Event* event) {
  if (!stream || !event) return cudaErrorInvalidResourceHandle;
  if (event->capture) {
    Capture& capture = *event->capture;
    if (capture.ended) return cudaErrorCapturedEvent;
    if (capture.invalid) return cudaErrorStreamCaptureInvalidated;
    if (stream->legacy) return cudaErrorStreamCaptureImplicit;
    if (stream->capture && stream->capture != event->capture) {
      capture.invalid = stream->capture->invalid = true;
      return cudaErrorStreamCaptureMerge;
    }
    if (!stream->capture) {  // the stream joins
      stream->capture = event->capture;
      stream->tail.clear();
      if (std::find(capture.streams.begin(), capture.streams.end(), stream) ==
          capture.streams.end())
        capture.streams.push_back(stream);
    }
    for (int node : event->tail)
      if (std::find(stream->tail.begin(), stream->tail.end(), node) == stream->tail.end())
        stream->tail.push_back(node);
    return cudaSuccess;
  }
  if (!event->recorded) return cudaSuccess;
  if (stream->capture) {
    stream->capture->invalid = true;
    return cudaErrorStreamCaptureIsolation;
  }
  stream->waits.push_back(event->recorded);
  (void)rt;
  return cudaSuccess;
}

}  // namespace

void launch(cudaStream_t handle, const char* name, dim3 grid, dim3 block, size_t shared_bytes,
            std::function<void()> thread_body) {
  api_call(
      "launch",
      [&](Runtime& rt) {
        Stream* stream = rt.stream(handle);
        if (!stream || stream->device != current_device()) return cudaErrorInvalidResourceHandle;
        const uint64_t threads = uint64_t{block.x} * block.y * block.z;
        if (threads == 0 || threads > 1024 || block.z > 64 || grid.x == 0 || grid.y == 0 ||
            grid.z == 0 || grid.x > 0x7fffffff || grid.y > 65535 || grid.z > 65535)
          return cudaErrorInvalidConfiguration;
        if (shared_bytes > size_t{227} << 10) return cudaErrorInvalidValue;
        LaunchRecord record{name,          grid, block, shared_bytes, std::move(thread_body),
                            stream->device};
        return rt.submit(
            *stream,
            {name, WorkKind::Kernel, [record] { run_grid(record); }, {}, CallStack::here()});
      },
      cudaErrorLaunchOutOfResources);
}

}  // namespace ditto::emulation

using namespace ditto::emulation;

extern "C" {

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return api_call("cudaStreamCreate",
                  [&](Runtime& rt) { return create(rt, stream, cudaStreamDefault, 0); });
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return api_call("cudaStreamCreateWithFlags",
                  [&](Runtime& rt) { return create(rt, stream, flags, 0); });
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int priority) {
  return api_call("cudaStreamCreateWithPriority",
                  [&](Runtime& rt) { return create(rt, stream, flags, priority); });
}
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  return api_call("cudaDeviceGetStreamPriorityRange", [&](Runtime&) {
    if (least) *least = 0;
    if (greatest) *greatest = -5;
    return cudaSuccess;
  });
}

// Work that was submitted still runs.
cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  return api_call("cudaStreamDestroy", [&](Runtime& rt) {
    Stream* stream = rt.stream(handle);
    if (!stream || stream->legacy) return cudaErrorInvalidResourceHandle;
    if (stream->capture) stream->capture->invalid = true;
    stream->destroyed = true;
    rt.release_lane(stream->lane);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamGetFlags(cudaStream_t handle, unsigned* flags) {
  return api_call("cudaStreamGetFlags", [&](Runtime& rt) {
    Stream* stream = rt.stream(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    *flags = stream->flags;
    return cudaSuccess;
  });
}
cudaError_t cudaStreamGetPriority(cudaStream_t handle, int* priority) {
  return api_call("cudaStreamGetPriority", [&](Runtime& rt) {
    Stream* stream = rt.stream(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    *priority = stream->priority;
    return cudaSuccess;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  return api_call("cudaStreamSynchronize", [&](Runtime& rt) {
    Stream* stream = rt.stream(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (const cudaError_t error = may_wait(*stream); error != cudaSuccess) return error;
    std::vector<OperationPtr> targets = stream->waits;
    targets.push_back(stream->last);
    rt.synchronize(targets);
    memory().trim(stream->device);
    return rt.devices[static_cast<size_t>(stream->device)]->error;
  });
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
  return api_call("cudaStreamQuery", [&](Runtime& rt) {
    Stream* stream = rt.stream(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (const cudaError_t error = may_wait(*stream); error != cudaSuccess) return error;
    rt.progress();
    if (stream->last && !stream->last->done) return cudaErrorNotReady;
    if (stream->last) rt.synchronize({stream->last});
    return rt.devices[static_cast<size_t>(stream->device)]->error;
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  return api_call("cudaStreamWaitEvent",
                  [&](Runtime& rt) { return wait(rt, rt.stream(stream), rt.event(event)); });
}

cudaError_t cudaLaunchHostFunc(cudaStream_t handle, cudaHostFn_t function, void* data) {
  return api_call("cudaLaunchHostFunc", [&](Runtime& rt) {
    Stream* stream = rt.stream(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (!function) return cudaErrorInvalidValue;
    return rt.submit(
        *stream, {"host function", WorkKind::Host, [=] { function(data); }, {}, CallStack::here()});
  });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* handle, unsigned flags) {
  return api_call("cudaEventCreateWithFlags", [&](Runtime& rt) {
    if (!handle || flags > 7 || flags == cudaEventInterprocess) return cudaErrorInvalidValue;
    auto event = std::make_unique<Event>();
    event->device = current_device();
    event->flags = flags;
    *handle = reinterpret_cast<cudaEvent_t>(event.get());
    rt.event_handles.insert(event.get());
    rt.events.push_back(std::move(event));
    return cudaSuccess;
  });
}
cudaError_t cudaEventCreate(cudaEvent_t* event) {
  return cudaEventCreateWithFlags(event, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t handle) {
  return api_call("cudaEventDestroy", [&](Runtime& rt) {
    Event* event = rt.event(handle);
    if (!event) return cudaErrorInvalidResourceHandle;
    *event = {};
    event->destroyed = true;
    return cudaSuccess;
  });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return api_call("cudaEventRecord",
                  [&](Runtime& rt) { return record(rt, rt.stream(stream), rt.event(event)); });
}
cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned) {
  return cudaEventRecord(event, stream);
}

cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
  return api_call("cudaEventSynchronize", [&](Runtime& rt) {
    Event* event = rt.event(handle);
    if (!event) return cudaErrorInvalidResourceHandle;
    if (event->capture) {
      event->capture->invalid = true;
      return cudaErrorCapturedEvent;
    }
    if (event->recorded) rt.synchronize({event->recorded});
    return rt.devices[static_cast<size_t>(event->device)]->error;
  });
}

cudaError_t cudaEventQuery(cudaEvent_t handle) {
  return api_call("cudaEventQuery", [&](Runtime& rt) {
    Event* event = rt.event(handle);
    if (!event) return cudaErrorInvalidResourceHandle;
    if (event->capture) {
      event->capture->invalid = true;
      return cudaErrorCapturedEvent;
    }
    if (!event->recorded) return cudaSuccess;
    rt.progress();
    if (!event->recorded->done) return cudaErrorNotReady;
    rt.synchronize({event->recorded});
    return rt.devices[static_cast<size_t>(event->device)]->error;
  });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  return api_call("cudaEventElapsedTime", [&](Runtime& rt) {
    Event *first = rt.event(start), *second = rt.event(end);
    for (const Event* event : {first, second})
      if (!event || !event->recorded || (event->flags & cudaEventDisableTiming))
        return cudaErrorInvalidResourceHandle;
    if (!first->recorded->done || !second->recorded->done) return cudaErrorNotReady;
    *milliseconds =
        static_cast<float>(1e3 * (second->recorded->finished - first->recorded->finished));
    return cudaSuccess;
  });
}

}  // extern "C"
