#include "core/cuda_stream.h"
#include "core/on_device.h"

namespace ditto {

Stream::Stream(int device) : device_(device) {
  cuda_context(device);  // makes the device current, and throws when there is none
  cuda_check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
}

Stream::~Stream() {
  if (stream_) cudaStreamDestroy(stream_);  // work that it still has is finished first
}

void Stream::synchronize() const {
  cuda_check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
}

Event::Event(int device) : device_(device) {
  cuda_context(device_);
  // Times are not taken: events that do not are cheaper.
  cuda_check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "cudaEventCreate");
}

Event::~Event() {
  if (event_) cudaEventDestroy(event_);
}

void Event::record(cudaStream_t stream) {
  cuda_check(cudaEventRecord(event_, stream), "cudaEventRecord");
}

void Event::make_wait(cudaStream_t stream) const {
  cuda_check(cudaStreamWaitEvent(stream, event_, 0), "cudaStreamWaitEvent");
}

bool Event::reached() const {
  const cudaError_t status = cudaEventQuery(event_);
  if (status == cudaErrorNotReady) {
    cudaGetLastError();  // not an error, but the runtime keeps it as one
    return false;
  }
  cuda_check(status, "cudaEventQuery");
  return true;
}

void Event::synchronize() const {
  cuda_check(cudaEventSynchronize(event_), "cudaEventSynchronize");
}

}  // namespace ditto
