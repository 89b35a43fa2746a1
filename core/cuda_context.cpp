#include "core/cuda_context.h"

#include <cublas_v2.h>
#include <cudnn.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>

#include "core/cuda_graph_memory.h"
#include "core/cuda_memory.h"
#include "core/current_op.h"
#include "core/device_choice.h"
#include "core/graph_capture.h"
#include "core/on_device.h"

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

// Makes the device current for this thread's calls of the runtime.
void set_device(int index) {
  thread_local int current = -1;
  if (current == index) return;
  cuda_check(cudaSetDevice(index), "cudaSetDevice", index);
  current = index;
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
  if (current_capture())
    message.text += std::string(", while ") + (current_op() ? current_op() : "a step") +
                    " was captured into a graph";
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
    set_device(index);
    // Non-blocking: no hidden order with the legacy default stream, which nothing here uses.
    cuda_check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
  }
  return stream;
}

CudaContext::CudaContext(int index) : index_(index) {
  set_device(index);
  stream_ = cuda_compute_stream(index);
  multiprocessors_ = attribute(cudaDevAttrMultiProcessorCount, index);
  shared_bytes_limit_ = attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, index);
}

CudaContext::~CudaContext() {
  // Errors are ignored: at the end of a process the driver may be gone already.
  if (cublas_) cublasDestroy(cublas_);
  if (cudnn_) cudnnDestroy(cudnn_);
  for (const Scratch& scratch : {workspace_, cublas_workspace_})
    cuda_release(index_, scratch.memory, scratch.bytes, scratch.stream);
  if (fault_) {
    cudaStreamSynchronize(stream_);  // kernels may still want to report
    cudaFreeHost(fault_);
  }
}

bool CudaContext::capturing() const { return graph_memory(index_) != nullptr; }

cublasContext* CudaContext::cublas() {
  const bool is_new = !cublas_;
  if (is_new) {
    refuse_capture("cublasCreate", "run the step once before");
    cublas_check(cublasCreate(&cublas_), "cublasCreate");
  }
  if (is_new || cublas_tf32_ != tf32_allowed()) {
    cublas_tf32_ = tf32_allowed();
    // Without the flag, sums that cuBLAS splits would be joined in the result's 16 bits.
    const int mode = (cublas_tf32_ ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH) |
                     CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;
    cublas_check(cublasSetMathMode(cublas_, static_cast<cublasMath_t>(mode)), "cublasSetMathMode");
  }
  if (cublas_stream_ != stream_) {
    // cuBLAS would allocate in the middle of a capture, and choose its algorithms by what it got:
    // it has the same workspace always, of the size that its manual recommends.
    const bool hopper = attribute(cudaDevAttrComputeCapabilityMajor, index_) >= 9;
    if (cublas_workspace_.stream != stream_)
      resize(cublas_workspace_, int64_t{hopper ? 32 : 4} << 20);
    cublas_stream_ = nullptr;
    cublas_check(cublasSetStream(cublas_, stream_), "cublasSetStream");  // drops the workspace
    cublas_check(cublasSetWorkspace(cublas_, cublas_workspace_.memory,
                                    static_cast<size_t>(cublas_workspace_.bytes)),
                 "cublasSetWorkspace");
    cublas_stream_ = stream_;
  }
  return cublas_;
}

cudnnContext* CudaContext::cudnn() {
  if (!cudnn_) {
    refuse_capture("cudnnCreate", "run the step once before");
    cudnn_check(cudnnCreate(&cudnn_), "cudnnCreate");
  }
  if (cudnn_stream_ != stream_) {
    cudnn_check(cudnnSetStream(cudnn_, stream_), "cudnnSetStream");
    cudnn_stream_ = stream_;
  }
  return cudnn_;
}

void CudaContext::resize(Scratch& scratch, int64_t bytes) {
  const Scratch old = std::exchange(scratch, {});
  cuda_release(index_, old.memory, old.bytes, old.stream);
  scratch = {cuda_allocate(*this, bytes, stream_), bytes, stream_};
}

void CudaContext::leave_stream(cudaStream_t next) {
  for (Scratch* scratch : {&workspace_, &cublas_workspace_})
    if (scratch->stream == stream_ && stream_ != next) {
      const Scratch old = std::exchange(*scratch, {});
      cuda_release(index_, old.memory, old.bytes, old.stream);
    }
  // Another stream may have this one's address some day.
  cublas_stream_ = cudnn_stream_ = nullptr;
  stream_ = next;
}

void* CudaContext::workspace(int64_t bytes) {
  if (bytes > workspace_.bytes || workspace_.stream != stream_)
    resize(workspace_, std::max(bytes, workspace_.bytes));
  return workspace_.memory;
}

CudaFault* CudaContext::fault() {
  if (!fault_) {
    refuse_capture("cudaHostAlloc", "run the step once before");
    void* memory = nullptr;
    cuda_check(cudaHostAlloc(&memory, sizeof(CudaFault), cudaHostAllocMapped), "cudaHostAlloc");
    fault_ = new (memory) CudaFault;
  }
  return fault_;
}

void CudaContext::synchronize() {
  refuse_capture("a wait for the device", "nothing has run yet");
  cuda_check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  if (fault_) throw_cuda_fault(*fault_);
}

CudaContext& cuda_context(int index) {
  thread_local std::vector<std::unique_ptr<CudaContext>> contexts;
  const auto i = static_cast<size_t>(index);
  if (index < 0 || i >= contexts.size() || !contexts[i]) [[unlikely]] {
    std::string answer;
    const int count = cuda_device_count(&answer);
    if (index < 0 || index >= count)
      fail("[cuda] there is no cuda:" + std::to_string(index) + "; the driver answered:", answer);
    if (i >= contexts.size()) contexts.resize(i + 1);
    contexts[i] = std::make_unique<CudaContext>(index);
  }
  set_device(index);
  return *contexts[i];
}

}  // namespace ditto
