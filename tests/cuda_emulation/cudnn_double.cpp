// Double of the cuDNN calls that ditto makes: handles, descriptors and the convolutions of the
// version-7 interface.
//
// Descriptors that do not fit each other, a workspace that is too small, misaligned addresses and
// foreign streams are findings. With a seed other than 0, algorithms that the ranking offers may
// refuse to run, differently for every shape. What they compute: cudnn_convolution.h.
#include <cudnn.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "tests/cuda_emulation/cudart.h"
#include "tests/cuda_emulation/cudart_runtime.h"
#include "tests/cuda_emulation/cudnn_convolution.h"
#include "tests/cuda_emulation/library_double.h"

struct cudnnContext {
  int device = 0;
  cudaStream_t stream = nullptr;
};

namespace ditto::emulation {
namespace {

std::mutex& mutex() {
  static auto* const instance = new std::mutex;
  return *instance;
}
// Everything that was created and not destroyed.
std::set<const void*>& live() {
  static auto* const all = new std::set<const void*>;
  return *all;
}
template <class T>
bool is_live(const T* object) {
  std::lock_guard lock(mutex());
  return live().contains(object);
}

template <class T>
cudnnStatus_t create(const char* function, T** object) {
  if (!object) return CUDNN_STATUS_BAD_PARAM;
  if (library_failure(function)) return CUDNN_STATUS_ALLOC_FAILED;
  *object = new T;
  std::lock_guard lock(mutex());
  live().insert(*object);
  return CUDNN_STATUS_SUCCESS;
}

template <class T>
cudnnStatus_t destroy(const char* function, T* object) {
  if (!object) return CUDNN_STATUS_SUCCESS;
  {
    std::lock_guard lock(mutex());
    if (live().erase(object)) {
      delete object;
      return CUDNN_STATUS_SUCCESS;
    }
  }
  report_call("wrong-descriptor", function, CallStack::here(), "destroyed twice, or never created");
  return CUDNN_STATUS_BAD_PARAM;
}

bool is_supported(cudnnDataType_t type) {
  return type == CUDNN_DATA_FLOAT || type == CUDNN_DATA_DOUBLE || type == CUDNN_DATA_BFLOAT16;
}

std::string text(int a, int b, int c, int d) {
  return "(" + std::to_string(a) + ", " + std::to_string(b) + ", " + std::to_string(c) + ", " +
         std::to_string(d) + ")";
}

// SUCCESS when the descriptors describe one convolution; what does not fit is a finding.
cudnnStatus_t make_problem(const char* function, Pass pass, cudnnTensorDescriptor_t x,
                           cudnnFilterDescriptor_t w, cudnnConvolutionDescriptor_t conv,
                           cudnnTensorDescriptor_t y, Problem* problem) {
  const auto wrong = [&](const std::string& what) {
    report_call("wrong-descriptor", function, CallStack::here(), what);
    return CUDNN_STATUS_BAD_PARAM;
  };
  if (!is_live(x) || !is_live(w) || !is_live(conv) || !is_live(y))
    return wrong("a descriptor does not exist");
  if (!x->set || !w->set || !conv->set || !y->set) return wrong("a descriptor was never set");
  *problem = {pass, *x, *y, *w, *conv};
  if (x->type != w->type || x->type != y->type) return wrong("the data types differ");
  const int groups = conv->groups;
  if (w->c * groups != x->c || w->k % groups != 0)
    return wrong("x has " + std::to_string(x->c) + " channels, but the filter " +
                 text(w->k, w->c, w->h, w->w) + " in " + std::to_string(groups) + " groups");
  const auto size = [](int length, int pad, int kernel, int dilation, int stride) {
    return (length + 2 * pad - ((kernel - 1) * dilation + 1)) / stride + 1;
  };
  const int oh = size(x->h, conv->pad_h, w->h, conv->dilation_h, conv->stride_h);
  const int ow = size(x->w, conv->pad_w, w->w, conv->dilation_w, conv->stride_w);
  if (y->n != x->n || y->c != w->k || y->h != oh || y->w != ow)
    return wrong("y is " + text(y->n, y->c, y->h, y->w) +
                 " (N, C, H, W), but the convolution gives " + text(x->n, w->k, oh, ow));
  if (conv->compute != (x->type == CUDNN_DATA_DOUBLE ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT))
    return wrong("the compute type does not go with the data");
  if (x->format != y->format || x->format != w->format) return CUDNN_STATUS_NOT_SUPPORTED;
  if (x->type == CUDNN_DATA_DOUBLE && x->format == CUDNN_TENSOR_NHWC)
    return CUDNN_STATUS_NOT_SUPPORTED;
  if (x->type == CUDNN_DATA_BFLOAT16 &&
      (x->format != CUDNN_TENSOR_NHWC || conv->math == CUDNN_FMA_MATH))
    return CUDNN_STATUS_NOT_SUPPORTED;
  return CUDNN_STATUS_SUCCESS;
}

// Algorithms 0 and 1 of every operation take NHWC; others want NCHW and are not emulated.
bool exists(int algorithm) { return algorithm == 0 || algorithm == 1; }
bool is_deterministic(Pass pass, int algorithm) { return pass == Pass::Forward || algorithm != 0; }

// Whether an algorithm of the ranking refuses after all: at the question for its workspace or when
// it is to run.
enum class Refusal { None, Workspace, Run };
Refusal refusal(const Problem& problem, int algorithm) {
  const uint64_t seed = runtime().seed;
  if (seed == 0) return Refusal::None;
  const uint64_t draw = (problem.hash(algorithm) ^ seed * 0x9e3779b97f4a7c15) >> 17;
  return draw % 8 == 0 ? Refusal::Workspace : draw % 8 <= 2 ? Refusal::Run : Refusal::None;
}

// The status of a refusal: the general one, or one of those that say why.
cudnnStatus_t refused(const Problem& problem, int algorithm) {
  return problem.hash(algorithm) / 8 % 2 == 0 ? CUDNN_STATUS_NOT_SUPPORTED
                                              : CUDNN_STATUS_NOT_SUPPORTED_SHAPE;
}

size_t workspace_bytes(const Problem& problem, int algorithm) {
  return algorithm == 0 ? 0 : 1000 + problem.hash(0) % 5000 + problem.w_bytes();
}

cudnnStatus_t query_workspace(const char* function, const Problem& problem, int algorithm,
                              size_t* bytes) {
  if (library_failure(function) || !exists(algorithm)) return CUDNN_STATUS_NOT_SUPPORTED;
  if (refusal(problem, algorithm) == Refusal::Workspace) return refused(problem, algorithm);
  *bytes = workspace_bytes(problem, algorithm);
  return CUDNN_STATUS_SUCCESS;
}

template <class Perf, class Algorithm>
cudnnStatus_t rank(const char* function, const Problem& problem, int count, int requested,
                   int* returned, Perf* results) {
  if (library_failure(function)) return CUDNN_STATUS_INTERNAL_ERROR;
  if (requested < 1 || !returned || !results) return CUDNN_STATUS_BAD_PARAM;
  std::vector<int> order = {1, 0};
  if (runtime().seed % 2) std::swap(order[0], order[1]);
  for (int algorithm = 2; algorithm < count; ++algorithm) order.push_back(algorithm);
  *returned = std::min(requested, count);
  for (int i = 0; i < *returned; ++i) {
    const int algorithm = order[static_cast<size_t>(i)];
    results[i] = {};
    results[i].algo = static_cast<Algorithm>(algorithm);
    results[i].status = exists(algorithm) ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED;
    results[i].time = exists(algorithm) ? static_cast<float>(i + 1) : -1;
    results[i].memory = workspace_bytes(problem, algorithm);
    results[i].determinism =
        is_deterministic(problem.pass, algorithm) ? CUDNN_DETERMINISTIC : CUDNN_NON_DETERMINISTIC;
    results[i].mathType = problem.conv.math;
  }
  return CUDNN_STATUS_SUCCESS;
}

struct Call {
  const char* name;
  cudnnHandle_t handle;
  int algorithm;
  const void *alpha, *beta;
  const void *first, *second;  // dy or x first
  size_t first_bytes, second_bytes;
  void* out;
  size_t out_bytes;
  void* workspace;
  size_t workspace_bytes;
};

cudnnStatus_t run(const Problem& p, const Call& call) {
  if (!is_live(call.handle)) return CUDNN_STATUS_NOT_INITIALIZED;
  if (library_failure(call.name)) return CUDNN_STATUS_EXECUTION_FAILED;
  if (!exists(call.algorithm)) return CUDNN_STATUS_NOT_SUPPORTED;
  if (refusal(p, call.algorithm) != Refusal::None) return refused(p, call.algorithm);
  if (!call.alpha || !call.beta || !call.first || !call.second || !call.out)
    return CUDNN_STATUS_BAD_PARAM;
  const CallStack stack = CallStack::here();
  check_stream(call.name, call.handle->device, call.handle->stream, stack);
  for (const void* pointer : {call.first, call.second, static_cast<const void*>(call.out),
                              static_cast<const void*>(call.workspace)})
    if (reinterpret_cast<uintptr_t>(pointer) % 16 != 0) {
      report_call("misaligned", call.name, stack, "an address is no multiple of 16");
      return CUDNN_STATUS_BAD_PARAM;
    }
  const size_t needed = workspace_bytes(p, call.algorithm);
  if (call.workspace_bytes < needed || (needed > 0 && !call.workspace)) {
    report_call("workspace", call.name, stack,
                "algorithm " + std::to_string(call.algorithm) + " needs " + std::to_string(needed) +
                    " bytes of workspace, got " + std::to_string(call.workspace_bytes));
    return CUDNN_STATUS_BAD_PARAM;
  }
  const double alpha = p.wide() ? *static_cast<const double*>(call.alpha)
                                : static_cast<double>(*static_cast<const float*>(call.alpha));
  const double beta = p.wide() ? *static_cast<const double*>(call.beta)
                               : static_cast<double>(*static_cast<const float*>(call.beta));
  std::vector<Access> accesses = {{call.first, call.first_bytes, false},
                                  {call.second, call.second_bytes, false}};
  if (beta != 0) accesses.push_back({call.out, call.out_bytes, false});
  accesses.push_back({call.out, call.out_bytes, true});
  if (needed > 0) accesses.push_back({call.workspace, needed, true});
  const bool stable = is_deterministic(p.pass, call.algorithm);
  const cudaError_t error = enqueue(call.handle->stream, call.name, std::move(accesses), [=] {
    if (needed > 0) std::memset(call.workspace, 0xaa, needed);
    const int64_t start = stable ? 0 : static_cast<int64_t>(runtime().rng() >> 1);
    convolve(p, call.first, call.second, call.out, alpha, beta, stable, start);
  });
  return error == cudaSuccess ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_EXECUTION_FAILED;
}

}  // namespace
}  // namespace ditto::emulation

using namespace ditto::emulation;

extern "C" {

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  int device = 0;
  if (cudaGetDevice(&device) != cudaSuccess) return CUDNN_STATUS_NOT_INITIALIZED;
  const cudnnStatus_t status = create("cudnnCreate", handle);
  if (status == CUDNN_STATUS_SUCCESS) (*handle)->device = device;
  return status;
}
cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) { return destroy("cudnnDestroy", handle); }
cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  if (!is_live(handle)) return CUDNN_STATUS_NOT_INITIALIZED;
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnGetStream(cudnnHandle_t handle, cudaStream_t* stream) {
  if (!is_live(handle)) return CUDNN_STATUS_NOT_INITIALIZED;
  *stream = handle->stream;
  return CUDNN_STATUS_SUCCESS;
}
size_t cudnnGetVersion() { return CUDNN_VERSION; }

const char* cudnnGetErrorString(cudnnStatus_t status) {
  switch (status) {
    case CUDNN_STATUS_SUCCESS:
      return "CUDNN_STATUS_SUCCESS";
    case CUDNN_STATUS_NOT_INITIALIZED:
      return "CUDNN_STATUS_NOT_INITIALIZED";
    case CUDNN_STATUS_BAD_PARAM:
      return "CUDNN_STATUS_BAD_PARAM";
    case CUDNN_STATUS_NOT_SUPPORTED:
      return "CUDNN_STATUS_NOT_SUPPORTED";
    case CUDNN_STATUS_NOT_SUPPORTED_SHAPE:
      return "CUDNN_STATUS_NOT_SUPPORTED_SHAPE";
    case CUDNN_STATUS_ALLOC_FAILED:
      return "CUDNN_STATUS_ALLOC_FAILED";
    case CUDNN_STATUS_INTERNAL_ERROR:
      return "CUDNN_STATUS_INTERNAL_ERROR";
    case CUDNN_STATUS_EXECUTION_FAILED:
      return "CUDNN_STATUS_EXECUTION_FAILED";
    default:
      return "CUDNN_STATUS_UNKNOWN";
  }
}

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* descriptor) {
  return create("cudnnCreateTensorDescriptor", descriptor);
}
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t descriptor) {
  return destroy("cudnnDestroyTensorDescriptor", descriptor);
}
cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t descriptor,
                                         cudnnTensorFormat_t format, cudnnDataType_t type, int n,
                                         int c, int h, int w) {
  if (!is_live(descriptor) || n < 1 || c < 1 || h < 1 || w < 1) return CUDNN_STATUS_BAD_PARAM;
  if ((format != CUDNN_TENSOR_NHWC && format != CUDNN_TENSOR_NCHW) || !is_supported(type) ||
      int64_t{n} * c * h * w > INT32_MAX)
    return CUDNN_STATUS_NOT_SUPPORTED;
  *descriptor = {true, type, format, n, c, h, w};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t* descriptor) {
  return create("cudnnCreateFilterDescriptor", descriptor);
}
cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t descriptor) {
  return destroy("cudnnDestroyFilterDescriptor", descriptor);
}
cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t descriptor, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int k, int c, int h, int w) {
  if (!is_live(descriptor) || k < 1 || c < 1 || h < 1 || w < 1) return CUDNN_STATUS_BAD_PARAM;
  if ((format != CUDNN_TENSOR_NHWC && format != CUDNN_TENSOR_NCHW) || !is_supported(type))
    return CUDNN_STATUS_NOT_SUPPORTED;
  *descriptor = {true, type, format, k, c, h, w};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t* descriptor) {
  return create("cudnnCreateConvolutionDescriptor", descriptor);
}
cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t descriptor) {
  return destroy("cudnnDestroyConvolutionDescriptor", descriptor);
}
cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t descriptor, int pad_h,
                                              int pad_w, int stride_h, int stride_w, int dilation_h,
                                              int dilation_w, cudnnConvolutionMode_t mode,
                                              cudnnDataType_t compute) {
  if (!is_live(descriptor) || pad_h < 0 || pad_w < 0 || stride_h < 1 || stride_w < 1 ||
      dilation_h < 1 || dilation_w < 1)
    return CUDNN_STATUS_BAD_PARAM;
  *descriptor = {true,     pad_h,      pad_w,           stride_h,
                 stride_w, dilation_h, dilation_w,      descriptor->groups,
                 mode,     compute,    descriptor->math};
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t descriptor, int groups) {
  if (!is_live(descriptor) || groups < 1) return CUDNN_STATUS_BAD_PARAM;
  descriptor->groups = groups;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t descriptor,
                                          cudnnMathType_t math) {
  if (!is_live(descriptor)) return CUDNN_STATUS_BAD_PARAM;
  descriptor->math = math;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(
    cudnnHandle_t handle, const cudnnTensorDescriptor_t x, const cudnnFilterDescriptor_t w,
    const cudnnConvolutionDescriptor_t conv, const cudnnTensorDescriptor_t y, const int requested,
    int* returned, cudnnConvolutionFwdAlgoPerf_t* results) {
  constexpr const char* kName = "cudnnGetConvolutionForwardAlgorithm_v7";
  Problem problem;
  if (!is_live(handle)) return CUDNN_STATUS_NOT_INITIALIZED;
  const cudnnStatus_t status = make_problem(kName, Pass::Forward, x, w, conv, y, &problem);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  return rank<cudnnConvolutionFwdAlgoPerf_t, cudnnConvolutionFwdAlgo_t>(
      kName, problem, CUDNN_CONVOLUTION_FWD_ALGO_COUNT, requested, returned, results);
}
cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(
    cudnnHandle_t handle, const cudnnFilterDescriptor_t w, const cudnnTensorDescriptor_t dy,
    const cudnnConvolutionDescriptor_t conv, const cudnnTensorDescriptor_t dx, const int requested,
    int* returned, cudnnConvolutionBwdDataAlgoPerf_t* results) {
  constexpr const char* kName = "cudnnGetConvolutionBackwardDataAlgorithm_v7";
  Problem problem;
  if (!is_live(handle)) return CUDNN_STATUS_NOT_INITIALIZED;
  const cudnnStatus_t status = make_problem(kName, Pass::BackwardData, dx, w, conv, dy, &problem);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  return rank<cudnnConvolutionBwdDataAlgoPerf_t, cudnnConvolutionBwdDataAlgo_t>(
      kName, problem, CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT, requested, returned, results);
}
cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(
    cudnnHandle_t handle, const cudnnTensorDescriptor_t x, const cudnnTensorDescriptor_t dy,
    const cudnnConvolutionDescriptor_t conv, const cudnnFilterDescriptor_t dw, const int requested,
    int* returned, cudnnConvolutionBwdFilterAlgoPerf_t* results) {
  constexpr const char* kName = "cudnnGetConvolutionBackwardFilterAlgorithm_v7";
  Problem problem;
  if (!is_live(handle)) return CUDNN_STATUS_NOT_INITIALIZED;
  const cudnnStatus_t status =
      make_problem(kName, Pass::BackwardWeights, x, dw, conv, dy, &problem);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  return rank<cudnnConvolutionBwdFilterAlgoPerf_t, cudnnConvolutionBwdFilterAlgo_t>(
      kName, problem, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT, requested, returned, results);
}

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(
    cudnnHandle_t handle, const cudnnTensorDescriptor_t x, const cudnnFilterDescriptor_t w,
    const cudnnConvolutionDescriptor_t conv, const cudnnTensorDescriptor_t y,
    cudnnConvolutionFwdAlgo_t algorithm, size_t* bytes) {
  constexpr const char* kName = "cudnnGetConvolutionForwardWorkspaceSize";
  Problem problem;
  if (!is_live(handle)) return CUDNN_STATUS_NOT_INITIALIZED;
  const cudnnStatus_t status = make_problem(kName, Pass::Forward, x, w, conv, y, &problem);
  return status != CUDNN_STATUS_SUCCESS ? status
                                        : query_workspace(kName, problem, algorithm, bytes);
}
cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(
    cudnnHandle_t handle, const cudnnFilterDescriptor_t w, const cudnnTensorDescriptor_t dy,
    const cudnnConvolutionDescriptor_t conv, const cudnnTensorDescriptor_t dx,
    cudnnConvolutionBwdDataAlgo_t algorithm, size_t* bytes) {
  constexpr const char* kName = "cudnnGetConvolutionBackwardDataWorkspaceSize";
  Problem problem;
  if (!is_live(handle)) return CUDNN_STATUS_NOT_INITIALIZED;
  const cudnnStatus_t status = make_problem(kName, Pass::BackwardData, dx, w, conv, dy, &problem);
  return status != CUDNN_STATUS_SUCCESS ? status
                                        : query_workspace(kName, problem, algorithm, bytes);
}
cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(
    cudnnHandle_t handle, const cudnnTensorDescriptor_t x, const cudnnTensorDescriptor_t dy,
    const cudnnConvolutionDescriptor_t conv, const cudnnFilterDescriptor_t dw,
    cudnnConvolutionBwdFilterAlgo_t algorithm, size_t* bytes) {
  constexpr const char* kName = "cudnnGetConvolutionBackwardFilterWorkspaceSize";
  Problem problem;
  if (!is_live(handle)) return CUDNN_STATUS_NOT_INITIALIZED;
  const cudnnStatus_t status =
      make_problem(kName, Pass::BackwardWeights, x, dw, conv, dy, &problem);
  return status != CUDNN_STATUS_SUCCESS ? status
                                        : query_workspace(kName, problem, algorithm, bytes);
}

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void* alpha,
                                      const cudnnTensorDescriptor_t x_desc, const void* x,
                                      const cudnnFilterDescriptor_t w_desc, const void* w,
                                      const cudnnConvolutionDescriptor_t conv,
                                      cudnnConvolutionFwdAlgo_t algorithm, void* workspace,
                                      size_t workspace_bytes, const void* beta,
                                      const cudnnTensorDescriptor_t y_desc, void* y) {
  constexpr const char* kName = "cudnnConvolutionForward";
  Problem p;
  const cudnnStatus_t status = make_problem(kName, Pass::Forward, x_desc, w_desc, conv, y_desc, &p);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  return run(p, {kName, handle, algorithm, alpha, beta, x, w, p.x_bytes(), p.w_bytes(), y,
                 p.y_bytes(), workspace, workspace_bytes});
}
cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void* alpha,
                                           const cudnnFilterDescriptor_t w_desc, const void* w,
                                           const cudnnTensorDescriptor_t dy_desc, const void* dy,
                                           const cudnnConvolutionDescriptor_t conv,
                                           cudnnConvolutionBwdDataAlgo_t algorithm, void* workspace,
                                           size_t workspace_bytes, const void* beta,
                                           const cudnnTensorDescriptor_t dx_desc, void* dx) {
  constexpr const char* kName = "cudnnConvolutionBackwardData";
  Problem p;
  const cudnnStatus_t status =
      make_problem(kName, Pass::BackwardData, dx_desc, w_desc, conv, dy_desc, &p);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  return run(p, {kName, handle, algorithm, alpha, beta, dy, w, p.y_bytes(), p.w_bytes(), dx,
                 p.x_bytes(), workspace, workspace_bytes});
}
cudnnStatus_t cudnnConvolutionBackwardFilter(
    cudnnHandle_t handle, const void* alpha, const cudnnTensorDescriptor_t x_desc, const void* x,
    const cudnnTensorDescriptor_t dy_desc, const void* dy, const cudnnConvolutionDescriptor_t conv,
    cudnnConvolutionBwdFilterAlgo_t algorithm, void* workspace, size_t workspace_bytes,
    const void* beta, const cudnnFilterDescriptor_t dw_desc, void* dw) {
  constexpr const char* kName = "cudnnConvolutionBackwardFilter";
  Problem p;
  const cudnnStatus_t status =
      make_problem(kName, Pass::BackwardWeights, x_desc, dw_desc, conv, dy_desc, &p);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  return run(p, {kName, handle, algorithm, alpha, beta, dy, x, p.y_bytes(), p.x_bytes(), dw,
                 p.w_bytes(), workspace, workspace_bytes});
}

}  // extern "C"
