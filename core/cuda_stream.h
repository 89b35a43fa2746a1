// Streams and events of CUDA, owned.
//
// Ordinary code needs neither: all threads share the device's compute stream (core/cuda_context.h).
// A second stream runs beside it; an Event says what must be over before what follows.
#pragma once

#include "core/cuda_context.h"
#include "core/on_device.h"

namespace ditto {

// A stream of its own on one device, unordered with any other.
class Stream {
 public:
  explicit Stream(int device);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  cudaStream_t get() const { return stream_; }
  int device() const { return device_; }
  void synchronize() const;

 private:
  int device_;
  cudaStream_t stream_ = nullptr;
};

// A point in a stream. Before the first record() it counts as reached.
class Event {
 public:
  explicit Event(int device);
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  // The event is now reached when all that was put on `stream` so far is done.
  void record(cudaStream_t stream);
  // What is put on `stream` from now on waits for the event; the calling thread does not.
  void make_wait(cudaStream_t stream) const;
  bool reached() const;
  void synchronize() const;

 private:
  int device_;
  cudaEvent_t event_ = nullptr;
};

// While it lives, the calling thread's context of the stream's device works on that stream. Memory
// that is allocated meanwhile is ordered by this stream: before another stream uses it, order the
// two by an Event, and release it before the stream is destroyed.
class StreamGuard {
 public:
  explicit StreamGuard(const Stream& stream)
      : context_(cuda_context(stream.device())), previous_(context_.stream()) {
    context_.set_stream(stream.get());
  }
  ~StreamGuard() { context_.leave_stream(previous_); }
  StreamGuard(const StreamGuard&) = delete;
  StreamGuard& operator=(const StreamGuard&) = delete;

 private:
  CudaContext& context_;
  cudaStream_t previous_;
};

}  // namespace ditto
