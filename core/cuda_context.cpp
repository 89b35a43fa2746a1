#include "core/cuda_context.h"

#include <cublas_v2.h>
#include <cudnn.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <mutex>

namespace ditto {
namespace {

void cublas_check(cublasStatus_t status, Literal call) {
  check(status == CUBLAS_STATUS_SUCCESS, Literal("[cublas]", call.file, call.line), call.text,
        "failed:", cublasGetStatusName(status));
}
void cudnn_check(cudnnStatus_t status, Literal call) {
  check(status == CUDNN_STATUS_SUCCESS, Literal("[cudnn]", call.file, call.line), call.text,
        "failed:", cudnnGetErrorString(status));
}

int attribute(cudaDeviceAttr what, int index) {
  int value = 0;
  cuda_check(cudaDeviceGetAttribute(&value, what, index), "cudaDeviceGetAttribute of device",
             index);
  return value;
}

}  // namespace

std::string cuda_error_text(cudaError_t status) {
  return fmt::format("{} ({}): {}", cudaGetErrorName(status), static_cast<int>(status),
                     cudaGetErrorString(status));
}

void throw_cuda_error(cudaError_t status, const Message& call,
                      const std::vector<std::string>& values) {
  cudaGetLastError();
  Message message("[cuda] " + call.text, call.file, call.line);
  for (const std::string& value : values) message.text += " " + value;
  message.text += ": " + cuda_error_text(status);
  throw_error(message, {});
}

cudaStream_t cuda_compute_stream(int index) {
  // Never destroyed: tensors with static storage may be released after main.
  static std::mutex mutex;
  static auto* streams = new std::vector<cudaStream_t>;
  std::lock_guard lock(mutex);
  if (static_cast<size_t>(index) >= streams->size())
    streams->resize(static_cast<size_t>(index) + 1, nullptr);
  cudaStream_t& stream = (*streams)[static_cast<size_t>(index)];
  if (!stream) {
    cuda_check(cudaSetDevice(index), "cudaSetDevice", index);
    // Non-blocking: no hidden order with the legacy default stream, which nothing here uses.
    cuda_check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
  }
  return stream;
}

CudaContext::CudaContext(int index) : index_(index) {
  stream_ = cuda_compute_stream(index);
  multiprocessors_ = attribute(cudaDevAttrMultiProcessorCount, index);
  shared_bytes_limit_ = attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, index);
}

CudaContext::~CudaContext() {
  // Errors are ignored: at the end of a process the driver may be gone already.
  if (cublas_) cublasDestroy(cublas_);
  if (cudnn_) cudnnDestroy(cudnn_);
  if (workspace_) cudaFreeAsync(workspace_, workspace_stream_);
  if (fault_) {
    cudaStreamSynchronize(stream_);  // kernels may still want to report
    cudaFreeHost(fault_);
  }
}

cublasContext* CudaContext::cublas() {
  if (!cublas_) cublas_check(cublasCreate(&cublas_), "cublasCreate");
  if (cublas_stream_ != stream_) {
    cublas_check(cublasSetStream(cublas_, stream_), "cublasSetStream");
    cublas_stream_ = stream_;
  }
  return cublas_;
}

cudnnContext* CudaContext::cudnn() {
  if (!cudnn_) cudnn_check(cudnnCreate(&cudnn_), "cudnnCreate");
  if (cudnn_stream_ != stream_) {
    cudnn_check(cudnnSetStream(cudnn_, stream_), "cudnnSetStream");
    cudnn_stream_ = stream_;
  }
  return cudnn_;
}

void* CudaContext::workspace(int64_t bytes) {
  if (bytes > workspace_bytes_ || workspace_stream_ != stream_) {
    if (workspace_)
      cuda_check(cudaFreeAsync(workspace_, workspace_stream_), "cudaFreeAsync of the workspace");
    workspace_ = nullptr;
    workspace_bytes_ = std::max(bytes, workspace_bytes_);
    workspace_stream_ = stream_;
    if (workspace_bytes_ > 0) {
      const int64_t asked = std::exchange(workspace_bytes_, 0);
      cuda_check(cudaMallocAsync(&workspace_, static_cast<size_t>(asked), stream_),
                 "cudaMallocAsync of a workspace of", asked, "bytes");
      workspace_bytes_ = asked;
    }
  }
  return workspace_;
}

CudaFault* CudaContext::fault() {
  if (!fault_) {
    void* memory = nullptr;
    cuda_check(cudaHostAlloc(&memory, sizeof(CudaFault), cudaHostAllocMapped), "cudaHostAlloc");
    fault_ = new (memory) CudaFault;
  }
  return fault_;
}

void CudaContext::synchronize() {
  cuda_check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  if (fault_) throw_cuda_fault(*fault_);
}

CudaContext& cuda_context(int index) {
  thread_local std::vector<std::unique_ptr<CudaContext>> contexts;
  thread_local int current = -1;
  const auto i = static_cast<size_t>(index);
  check(index >= 0, "[cuda] no such device:", index);
  if (i >= contexts.size()) contexts.resize(i + 1);
  if (!contexts[i]) contexts[i] = std::make_unique<CudaContext>(index);
  if (current != index) {
    cuda_check(cudaSetDevice(index), "cudaSetDevice", index);
    current = index;
  }
  return *contexts[i];
}

}  // namespace ditto
