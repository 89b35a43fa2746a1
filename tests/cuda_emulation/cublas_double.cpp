// Double of the cuBLAS calls that ditto makes: checks handles, sizes, types, leading dimensions,
// alignment, aliases and the device, and multiplies with plain loops in double when the stream gets
// there. Inputs are rounded as the compute type and the math mode allow (TF32: 10 bits of
// mantissa). Results of 16 bits are rounded once, unless the math mode lets the library join split
// sums in them.
#include <cublas_v2.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "tests/cuda_emulation/call_stack.h"
#include "tests/cuda_emulation/cudart.h"
#include "tests/cuda_emulation/library_double.h"

struct cublasContext {
  int device = 0;
  cudaStream_t stream = nullptr;
  cublasMath_t math = CUBLAS_DEFAULT_MATH;
  cublasPointerMode_t pointers = CUBLAS_POINTER_MODE_HOST;
  // Set by the caller; without one cuBLAS allocates its own, also in the middle of a capture.
  const void* workspace = nullptr;
  size_t workspace_bytes = 0;
};

namespace ditto::emulation {
namespace {

// Live handles.
std::map<cublasHandle_t, std::unique_ptr<cublasContext>>& handles() {
  static auto* const all = new std::map<cublasHandle_t, std::unique_ptr<cublasContext>>;
  return *all;
}
std::mutex& mutex() {
  static auto* const instance = new std::mutex;
  return *instance;
}
cublasContext* find(cublasHandle_t handle) {
  std::lock_guard lock(mutex());
  return handles().contains(handle) ? handle : nullptr;
}

struct Matrix {
  const void* data;
  cudaDataType type;
  int64_t ld, stride;
  int64_t rows, columns;  // as stored, column-major

  size_t element() const { return type == CUDA_R_64F ? 8 : type == CUDA_R_32F ? 4 : 2; }
  // Bytes from the first element to behind the last.
  size_t bytes(int64_t batch) const {
    if (rows == 0 || columns == 0 || batch == 0) return 0;
    return static_cast<size_t>((batch - 1) * stride + (columns - 1) * ld + rows) * element();
  }
  double at(int64_t batch, int64_t row, int64_t column) const {
    const int64_t i = batch * stride + column * ld + row;
    switch (type) {
      case CUDA_R_64F:
        return static_cast<const double*>(data)[i];
      case CUDA_R_32F:
        return static_cast<double>(static_cast<const float*>(data)[i]);
      default:
        return static_cast<double>(from_bf16(static_cast<const uint16_t*>(data)[i]));
    }
  }
};

void store(const Matrix& c, int64_t batch, int64_t row, int64_t column, double value) {
  const int64_t i = batch * c.stride + column * c.ld + row;
  void* const data = const_cast<void*>(c.data);
  switch (c.type) {
    case CUDA_R_64F:
      static_cast<double*>(data)[i] = value;
      break;
    case CUDA_R_32F:
      static_cast<float*>(data)[i] = static_cast<float>(value);
      break;
    default:
      static_cast<uint16_t*>(data)[i] = to_bf16(static_cast<float>(value));
  }
}

struct Gemm {
  const char* name;
  cublasOperation_t transpose_a, transpose_b;
  int64_t m, n, k, batch;
  const void *alpha, *beta;
  Matrix a, b, c;
  cublasComputeType_t compute;
};

bool overlap(const void* x, size_t x_bytes, const void* y, size_t y_bytes) {
  const auto first = reinterpret_cast<uintptr_t>(x), second = reinterpret_cast<uintptr_t>(y);
  return first < second + y_bytes && second < first + x_bytes;
}

// Combinations that cuBLAS documents and ditto may use.
bool types_supported(const Gemm& g) {
  const cudaDataType a = g.a.type, c = g.c.type;
  if (g.b.type != a) return false;
  switch (g.compute) {
    case CUBLAS_COMPUTE_64F:
    case CUBLAS_COMPUTE_64F_PEDANTIC:
      return a == CUDA_R_64F && c == CUDA_R_64F;
    case CUBLAS_COMPUTE_32F:
    case CUBLAS_COMPUTE_32F_PEDANTIC:
      return (a == CUDA_R_32F && c == CUDA_R_32F) ||
             (a == CUDA_R_16BF && (c == CUDA_R_16BF || c == CUDA_R_32F));
    case CUBLAS_COMPUTE_32F_FAST_TF32:
    case CUBLAS_COMPUTE_32F_FAST_16BF:
      return a == CUDA_R_32F && c == CUDA_R_32F;
    default:
      return false;
  }
}

// The hot loop of many tests, over memory of our own: not instrumented.
[[gnu::no_sanitize("address", "undefined")]] double dot(int64_t k, const double* a,
                                                        const double* b) {
  double sum = 0;
  for (int64_t l = 0; l < k; ++l) sum += a[l] * b[l];
  return sum;
}

// The sum in one piece, or in four that are joined in bf16.
double product(int64_t k, const double* a, const double* b, bool split) {
  if (!split) return dot(k, a, b);
  float sum = 0;
  for (int64_t part = 0; part < 4; ++part) {
    const int64_t begin = k * part / 4, end = k * (part + 1) / 4;
    sum = from_bf16(to_bf16(sum + static_cast<float>(dot(end - begin, a + begin, b + begin))));
  }
  return static_cast<double>(sum);
}

cublasStatus_t run(cublasHandle_t handle, Gemm g) {
  const cublasContext* context = find(handle);
  if (!context) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (library_failure(g.name)) return CUBLAS_STATUS_EXECUTION_FAILED;
  if (g.m < 0 || g.n < 0 || g.k < 0 || g.batch < 0) return CUBLAS_STATUS_INVALID_VALUE;
  const auto is_operation = [](cublasOperation_t op) {
    return op >= CUBLAS_OP_N && op <= CUBLAS_OP_C;
  };
  if (!is_operation(g.transpose_a) || !is_operation(g.transpose_b))
    return CUBLAS_STATUS_INVALID_VALUE;
  if (!types_supported(g)) return CUBLAS_STATUS_NOT_SUPPORTED;
  const bool ta = g.transpose_a != CUBLAS_OP_N, tb = g.transpose_b != CUBLAS_OP_N;
  g.a.rows = ta ? g.k : g.m, g.a.columns = ta ? g.m : g.k;
  g.b.rows = tb ? g.n : g.k, g.b.columns = tb ? g.k : g.n;
  g.c.rows = g.m, g.c.columns = g.n;
  for (const Matrix* x : {&g.a, &g.b, &g.c}) {
    if (x->ld < std::max<int64_t>(1, x->rows)) return CUBLAS_STATUS_INVALID_VALUE;
    if (reinterpret_cast<uintptr_t>(x->data) % x->element() != 0)
      return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (g.m == 0 || g.n == 0 || g.batch == 0) return CUBLAS_STATUS_SUCCESS;
  if (!g.alpha || !g.beta || !g.c.data) return CUBLAS_STATUS_INVALID_VALUE;
  if (context->pointers != CUBLAS_POINTER_MODE_HOST) return CUBLAS_STATUS_NOT_SUPPORTED;
  const CallStack stack = CallStack::here();
  check_stream(g.name, context->device, context->stream, stack);
  if (context->workspace &&
      !is_device_memory(context->workspace, context->workspace_bytes, context->device))
    report_call("workspace", g.name, stack, "the workspace that was set is no live buffer");
  cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
  if (!context->workspace && cudaStreamIsCapturing(context->stream, &capture) == cudaSuccess &&
      capture != cudaStreamCaptureStatusNone)
    report_call("workspace", g.name, stack,
                "captured without cublasSetWorkspace: the graph would use memory of the library");

  const bool wide = g.a.type == CUDA_R_64F;
  const double alpha = wide ? *static_cast<const double*>(g.alpha)
                            : static_cast<double>(*static_cast<const float*>(g.alpha));
  const double beta = wide ? *static_cast<const double*>(g.beta)
                           : static_cast<double>(*static_cast<const float*>(g.beta));
  const bool reads = alpha != 0 && g.k > 0;
  if (g.batch > 1 && g.c.stride < (g.n - 1) * g.c.ld + g.m)
    report_call("alias", g.name, stack, "the products of the batch overlap in memory");
  std::vector<Access> accesses;
  if (reads)
    for (const Matrix* x : {&g.a, &g.b}) {
      if (!x->data) return CUBLAS_STATUS_INVALID_VALUE;
      accesses.push_back({x->data, x->bytes(g.batch), false});
      if (overlap(x->data, x->bytes(g.batch), g.c.data, g.c.bytes(g.batch)))
        report_call("alias", g.name, stack, "an input lies in the memory of the result");
    }
  if (beta != 0) accesses.push_back({g.c.data, g.c.bytes(g.batch), false});
  accesses.push_back({g.c.data, g.c.bytes(g.batch), true});

  const bool tf32 = g.a.type == CUDA_R_32F && g.compute != CUBLAS_COMPUTE_32F_PEDANTIC &&
                    (g.compute == CUBLAS_COMPUTE_32F_FAST_TF32 ||
                     (context->math & 0xf) == CUBLAS_TF32_TENSOR_OP_MATH);
  const bool bf16 = g.compute == CUBLAS_COMPUTE_32F_FAST_16BF;
  const bool split = g.c.type == CUDA_R_16BF &&
                     !(context->math & CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION);
  const cudaError_t error = enqueue(
      context->stream, g.name, std::move(accesses),
      [g, ta, tb, alpha, beta, reads, tf32, bf16, split] {
        // Rows of op(A) and columns of op(B), widened.
        const auto widened = [&](const Matrix& x, bool across, int64_t batch, int64_t vectors) {
          std::vector<double> values(static_cast<size_t>(vectors * g.k));
          for (int64_t i = 0, to = 0; i < vectors; ++i)
            for (int64_t l = 0; l < g.k; ++l, ++to) {
              const double value = across ? x.at(batch, i, l) : x.at(batch, l, i);
              values[static_cast<size_t>(to)] =
                  tf32   ? static_cast<double>(to_tf32(static_cast<float>(value)))
                  : bf16 ? static_cast<double>(from_bf16(to_bf16(static_cast<float>(value))))
                         : value;
            }
          return values;
        };
        for (int64_t batch = 0; batch < g.batch; ++batch) {
          std::vector<double> a, b;
          if (reads) a = widened(g.a, !ta, batch, g.m), b = widened(g.b, tb, batch, g.n);
          for (int64_t j = 0; j < g.n; ++j)
            for (int64_t i = 0; i < g.m; ++i) {
              const double sum =
                  reads ? product(g.k, a.data() + i * g.k, b.data() + j * g.k, split) : 0.0;
              // beta = 0: C is not read.
              store(g.c, batch, i, j, alpha * sum + (beta == 0 ? 0.0 : beta * g.c.at(batch, i, j)));
            }
        }
      });
  return error == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

}  // namespace
}  // namespace ditto::emulation

using namespace ditto::emulation;

extern "C" {

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
  int device = 0;
  if (!handle) return CUBLAS_STATUS_INVALID_VALUE;
  if (library_failure("cublasCreate") || cudaGetDevice(&device) != cudaSuccess)
    return CUBLAS_STATUS_NOT_INITIALIZED;
  auto context = std::make_unique<cublasContext>();
  context->device = device;
  *handle = context.get();
  std::lock_guard lock(mutex());
  handles()[context.get()] = std::move(context);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  std::lock_guard lock(mutex());
  return handles().erase(handle) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_INITIALIZED;
}

cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
  cublasContext* context = find(handle);
  if (!context) return CUBLAS_STATUS_NOT_INITIALIZED;
  context->stream = stream;
  context->workspace = nullptr;  // as documented: back to the library's own
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetStream_v2(cublasHandle_t handle, cudaStream_t* stream) {
  const cublasContext* context = find(handle);
  if (!context) return CUBLAS_STATUS_NOT_INITIALIZED;
  *stream = context->stream;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void* workspace, size_t bytes) {
  cublasContext* context = find(handle);
  if (!context) return CUBLAS_STATUS_NOT_INITIALIZED;
  context->workspace = nullptr;
  if (!workspace || bytes == 0) return CUBLAS_STATUS_SUCCESS;  // its own again
  if (reinterpret_cast<uintptr_t>(workspace) % 256 != 0) return CUBLAS_STATUS_INVALID_VALUE;
  if (!is_device_memory(workspace, bytes, context->device))
    report_call("invalid-memory", "cublasSetWorkspace", CallStack::here(),
                "the workspace is no buffer of the handle's device");
  context->workspace = workspace;
  context->workspace_bytes = bytes;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
  cublasContext* context = find(handle);
  if (!context) return CUBLAS_STATUS_NOT_INITIALIZED;
  context->math = mode;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetPointerMode_v2(cublasHandle_t handle, cublasPointerMode_t mode) {
  cublasContext* context = find(handle);
  if (!context) return CUBLAS_STATUS_NOT_INITIALIZED;
  context->pointers = mode;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetAtomicsMode(cublasHandle_t handle, cublasAtomicsMode_t) {
  return find(handle) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_INITIALIZED;
}

cublasStatus_t cublasGemmEx_64(cublasHandle_t handle, cublasOperation_t transpose_a,
                               cublasOperation_t transpose_b, int64_t m, int64_t n, int64_t k,
                               const void* alpha, const void* a, cudaDataType a_type, int64_t lda,
                               const void* b, cudaDataType b_type, int64_t ldb, const void* beta,
                               void* c, cudaDataType c_type, int64_t ldc,
                               cublasComputeType_t compute, cublasGemmAlgo_t) {
  return run(handle, {"cublasGemmEx",
                      transpose_a,
                      transpose_b,
                      m,
                      n,
                      k,
                      1,
                      alpha,
                      beta,
                      {a, a_type, lda, 0, 0, 0},
                      {b, b_type, ldb, 0, 0, 0},
                      {c, c_type, ldc, 0, 0, 0},
                      compute});
}

cublasStatus_t cublasGemmStridedBatchedEx_64(
    cublasHandle_t handle, cublasOperation_t transpose_a, cublasOperation_t transpose_b, int64_t m,
    int64_t n, int64_t k, const void* alpha, const void* a, cudaDataType a_type, int64_t lda,
    long long a_stride, const void* b, cudaDataType b_type, int64_t ldb, long long b_stride,
    const void* beta, void* c, cudaDataType c_type, int64_t ldc, long long c_stride, int64_t batch,
    cublasComputeType_t compute, cublasGemmAlgo_t) {
  return run(handle, {"cublasGemmStridedBatchedEx",
                      transpose_a,
                      transpose_b,
                      m,
                      n,
                      k,
                      batch,
                      alpha,
                      beta,
                      {a, a_type, lda, a_stride, 0, 0},
                      {b, b_type, ldb, b_stride, 0, 0},
                      {c, c_type, ldc, c_stride, 0, 0},
                      compute});
}

const char* cublasGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED:
      return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_ARCH_MISMATCH:
      return "CUBLAS_STATUS_ARCH_MISMATCH";
    case CUBLAS_STATUS_MAPPING_ERROR:
      return "CUBLAS_STATUS_MAPPING_ERROR";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_INTERNAL_ERROR:
      return "CUBLAS_STATUS_INTERNAL_ERROR";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
    default:
      return "unknown";
  }
}
const char* cublasGetStatusString(cublasStatus_t status) { return cublasGetStatusName(status); }

}  // extern "C"
