// CudaContext: what a CUDA kernel needs from its device: the current stream, library handles,
// scratch memory.
//
// All threads of a process share one compute stream per device, so tensors pass between threads
// without further ado; handles and scratch memory belong to the thread. Built with DITTO_CUDA=on or
// emulated only.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "core/context.h"
#include "core/cuda_fault.h"

struct cublasContext;  // what cublasHandle_t and cudnnHandle_t point to: their headers are heavy
struct cudnnContext;

namespace ditto {

// "cudaErrorMemoryAllocation (2): out of memory".
std::string cuda_error_text(cudaError_t status);

// Throws Error "[cuda] <call> <values>: <name> (<number>): <text>" unless `status` is success. The
// error is also taken off the runtime, which would otherwise report it again for the next launch.
[[noreturn]] void throw_cuda_error(cudaError_t status, const Message& call,
                                   const std::vector<std::string>& values);
template <class... Values>
inline void cuda_check(cudaError_t status, Literal call, const Values&... values) {
  if (status != cudaSuccess) [[unlikely]]
    throw_cuda_error(status, Message(call.text, call.file, call.line), {error_text(values)...});
}

class CudaContext {
 public:
  explicit CudaContext(int index);
  ~CudaContext();
  CudaContext(const CudaContext&) = delete;
  CudaContext& operator=(const CudaContext&) = delete;

  int index() const { return index_; }
  Device device() const { return {DeviceType::Cuda, index_}; }
  // Work of this thread goes here: the device's compute stream, or what a StreamGuard put in its
  // place.
  cudaStream_t stream() const { return stream_; }
  void set_stream(cudaStream_t stream) { stream_ = stream; }
  // The same, for good: scratch memory of the stream so far is released, for that stream may be
  // destroyed next.
  void leave_stream(cudaStream_t next);

  // Whether work of this thread is recorded into a graph (core/cuda_graph.h) and not run.
  bool capturing() const;

  // Created on first use, but not in a capture, and bound to stream(). TF32 follows tf32_allowed().
  cublasContext* cublas();
  cudnnContext* cudnn();
  // Scratch memory of at least `bytes`, 256-byte aligned, for work on stream() up to the next call.
  void* workspace(int64_t bytes);

  int multiprocessors() const { return multiprocessors_; }
  // Dynamic shared memory that one block may have, by opting in.
  int64_t shared_bytes_limit() const { return shared_bytes_limit_; }

  // Where kernels launched by this thread report bad values.
  CudaFault* fault();
  // Waits until everything on stream() is done; errors of kernels and the values that they reported
  // (core/cuda_fault.h) are thrown here. Throws in a capture.
  void synchronize();

 private:
  friend class CudaGraph;
  int index_;
  int multiprocessors_ = 0;
  int64_t shared_bytes_limit_ = 0;
  cudaStream_t stream_ = nullptr;
  cublasContext* cublas_ = nullptr;
  cudnnContext* cudnn_ = nullptr;
  bool cublas_tf32_ = false;
  cudaStream_t cublas_stream_ = nullptr, cudnn_stream_ = nullptr;
  // Memory for work on one stream. A capture has its own, which stays with the graph.
  struct Scratch {
    void* memory = nullptr;
    int64_t bytes = 0;
    cudaStream_t stream = nullptr;
  };
  void resize(Scratch& scratch, int64_t bytes);
  Scratch workspace_, cublas_workspace_;
  CudaFault* fault_ = nullptr;  // in pinned host memory
};

// The device's compute stream, shared by all threads; it lives as long as the process.
cudaStream_t cuda_compute_stream(int index);

}  // namespace ditto
