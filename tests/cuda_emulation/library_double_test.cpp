#include <cublas_v2.h>
#include <cudnn.h>

#include <cmath>

#include "tests/cuda_emulation/cudart_fixture.h"
#include "tests/cuda_emulation/library_double.h"

namespace ditto::emulation {
namespace {

using testing::contains;

struct Blas {
  Blas() { CHECK(cublasCreate(&handle) == CUBLAS_STATUS_SUCCESS); }
  ~Blas() { CHECK(cublasDestroy(handle) == CUBLAS_STATUS_SUCCESS); }
  cublasStatus_t multiply(int64_t m, int64_t n, int64_t k, const float* a, int64_t lda,
                          const float* b, int64_t ldb, float* c, int64_t ldc) const {
    const float one = 1, zero = 0;
    return cublasGemmEx_64(handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, a, CUDA_R_32F, lda, b,
                           CUDA_R_32F, ldb, &zero, c, CUDA_R_32F, ldc, CUBLAS_COMPUTE_32F,
                           CUBLAS_GEMM_DEFAULT);
  }
  cublasHandle_t handle = nullptr;
};

TEST_CASE("cuBLAS double: multiplies columns, when the stream gets there") {
  const Clean clean;
  const Blas blas;
  const TestStream stream;
  CHECK(cublasSetStream(blas.handle, stream) == CUBLAS_STATUS_SUCCESS);
  // [1 3; 2 4] [5; 6] = [23; 34], leading dimension 3 in A.
  DeviceArray<float> a(std::vector<float>{1, 2, 0, 3, 4, 0}), b(std::vector<float>{5, 6}), c(2);
  CHECK(blas.multiply(2, 1, 2, a.data, 3, b.data, 2, c.data, 2) == CUBLAS_STATUS_SUCCESS);
  CHECK(pending_operations() > 0);
  ok(cudaStreamSynchronize(stream));
  CHECK(c.host() == std::vector<float>{23, 34});
}

TEST_CASE("cuBLAS double: sizes, leading dimensions, types and handles are checked") {
  const Clean clean;
  const Blas blas;
  DeviceArray<float> a(4), b(4), c(4);
  CHECK(blas.multiply(2, 2, 2, a.data, 1, b.data, 2, c.data, 2) == CUBLAS_STATUS_INVALID_VALUE);
  CHECK(blas.multiply(-1, 2, 2, a.data, 2, b.data, 2, c.data, 2) == CUBLAS_STATUS_INVALID_VALUE);
  const float one = 1;
  CHECK(cublasGemmEx_64(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &one, a.data, CUDA_R_32F, 2,
                        b.data, CUDA_R_64F, 2, &one, c.data, CUDA_R_32F, 2, CUBLAS_COMPUTE_32F,
                        CUBLAS_GEMM_DEFAULT) == CUBLAS_STATUS_NOT_SUPPORTED);
  cublasHandle_t gone = nullptr;
  CHECK(cublasCreate(&gone) == CUBLAS_STATUS_SUCCESS);
  CHECK(cublasDestroy(gone) == CUBLAS_STATUS_SUCCESS);
  CHECK(cublasSetStream(gone, nullptr) == CUBLAS_STATUS_NOT_INITIALIZED);
  // One row too many: out of the buffer's bounds.
  for (bool repaired : {false, true}) {
    CHECK(blas.multiply(2, repaired ? 2 : 3, 2, a.data, 2, b.data, 2, c.data, 2) ==
          CUBLAS_STATUS_SUCCESS);
    ok(cudaDeviceSynchronize());
    CHECK(of_kind("out-of-bounds").size() == (repaired ? 0 : 2));  // B and C
  }
}

TEST_CASE("cuBLAS double: a capture needs a workspace, which a change of stream drops") {
  const Clean clean;
  const Blas blas;
  const TestStream stream;
  DeviceArray<float> a(1), b(1), c(1);
  DeviceArray<char> workspace(4096);
  const auto capture = [&] {
    ok(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    CHECK(blas.multiply(1, 1, 1, a.data, 1, b.data, 1, c.data, 1) == CUBLAS_STATUS_SUCCESS);
    cudaGraph_t graph = nullptr;
    ok(cudaStreamEndCapture(stream, &graph));
    ok(cudaGraphDestroy(graph));
    return of_kind("workspace").size();
  };
  const auto set_workspace = [&] {
    CHECK(cublasSetWorkspace(blas.handle, workspace.data, 4096) == CUBLAS_STATUS_SUCCESS);
  };
  CHECK(cublasSetStream(blas.handle, stream) == CUBLAS_STATUS_SUCCESS);
  CHECK(capture() == 1);
  set_workspace();
  CHECK(capture() == 0);
  CHECK(cublasSetStream(blas.handle, stream) == CUBLAS_STATUS_SUCCESS);
  CHECK(capture() == 1);
  set_workspace();
  CHECK(capture() == 0);
}

TEST_CASE("library doubles: handles, streams and the current device belong together") {
  const Clean clean;
  set_device_count(2);
  const Blas blas;  // device 0
  ok(cudaSetDevice(1));
  for (bool repaired : {false, true}) {
    if (repaired) ok(cudaSetDevice(0));
    const TestStream stream;  // of the current device
    CHECK(cublasSetStream(blas.handle, stream) == CUBLAS_STATUS_SUCCESS);
    {
      DeviceArray<float> a(1), b(1), c(1);
      CHECK(blas.multiply(1, 1, 1, a.data, 1, b.data, 1, c.data, 1) == CUBLAS_STATUS_SUCCESS);
      ok(cudaDeviceSynchronize());
    }
    CHECK(of_kind("wrong-device").size() == (repaired ? 0 : 2));
  }
}

// A 3 x 3 convolution of one 4 x 4 image of 2 channels to 3.
struct Convolution {
  Convolution() {
    CHECK(cudnnCreate(&handle) == CUDNN_STATUS_SUCCESS);
    cudnnCreateTensorDescriptor(&x);
    cudnnCreateTensorDescriptor(&y);
    cudnnCreateFilterDescriptor(&w);
    cudnnCreateConvolutionDescriptor(&conv);
    cudnnSetTensor4dDescriptor(x, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 1, 2, 4, 4);
    cudnnSetFilter4dDescriptor(w, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC, 3, 2, 3, 3);
    cudnnSetConvolution2dDescriptor(conv, 1, 1, 1, 1, 1, 1, CUDNN_CROSS_CORRELATION,
                                    CUDNN_DATA_FLOAT);
    cudnnSetTensor4dDescriptor(y, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 1, 3, 4, 4);
  }
  ~Convolution() {
    cudnnDestroyTensorDescriptor(x);
    cudnnDestroyTensorDescriptor(y);
    cudnnDestroyFilterDescriptor(w);
    cudnnDestroyConvolutionDescriptor(conv);
    cudnnDestroy(handle);
  }
  static constexpr int kCall = __LINE__ + 4;  // of cuDNN in run()
  cudnnStatus_t run(const float* x_data, const float* w_data, float* y_data, void* space,
                    size_t bytes, int algorithm) const {
    const float one = 1, zero = 0;
    return cudnnConvolutionForward(handle, &one, x, x_data, w, w_data, conv,
                                   static_cast<cudnnConvolutionFwdAlgo_t>(algorithm), space, bytes,
                                   &zero, y, y_data);
  }
  cudnnHandle_t handle = nullptr;
  cudnnTensorDescriptor_t x = nullptr, y = nullptr;
  cudnnFilterDescriptor_t w = nullptr;
  cudnnConvolutionDescriptor_t conv = nullptr;
};

TEST_CASE(
    "cuDNN double: descriptors that do not fit are reported with the place, repairs are not") {
  const Clean clean;
  const Convolution c;
  DeviceArray<float> x(std::vector<float>(32, 1)), w(std::vector<float>(54, 1)), y(48);
  const auto findings = [&](cudnnStatus_t expected) {
    CHECK(c.run(x.data, w.data, y.data, nullptr, 0, 0) == expected);
    ok(cudaDeviceSynchronize());
    const auto found = of_kind("wrong-descriptor");
    for (const Report& one : found) {
      CHECK_THAT(one.file, contains("library_double_test.cpp"));
      CHECK((one.line >= Convolution::kCall &&
             one.line <= Convolution::kCall + 2));  // the call has three lines
    }
    return found.size();
  };
  CHECK(findings(CUDNN_STATUS_SUCCESS) == 0);
  CHECK(y.host()[0] == 8);    // 4 pixels x 2 channels at the corner
  CHECK(y.host()[15] == 18);  // 9 x 2 inside
  // Height and width of y, channels of w, data types, compute type; each set right again.
  const auto wrong = [&](const std::function<void()>& damage, const std::function<void()>& repair) {
    damage();
    CHECK(findings(CUDNN_STATUS_BAD_PARAM) == 1);
    repair();
    CHECK(findings(CUDNN_STATUS_SUCCESS) == 0);
  };
  const auto set_y = [&](cudnnDataType_t type, int h) {
    cudnnSetTensor4dDescriptor(c.y, CUDNN_TENSOR_NHWC, type, 1, 3, h, 4);
  };
  wrong([&] { set_y(CUDNN_DATA_FLOAT, 5); }, [&] { set_y(CUDNN_DATA_FLOAT, 4); });
  wrong([&] { set_y(CUDNN_DATA_DOUBLE, 4); }, [&] { set_y(CUDNN_DATA_FLOAT, 4); });
  const auto set_w = [&](int channels) {
    cudnnSetFilter4dDescriptor(c.w, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC, 3, channels, 3, 3);
  };
  wrong([&] { set_w(3); }, [&] { set_w(2); });
  const auto set_conv = [&](cudnnDataType_t compute, int stride) {
    cudnnSetConvolution2dDescriptor(c.conv, 1, 1, stride, stride, 1, 1, CUDNN_CROSS_CORRELATION,
                                    compute);
  };
  wrong([&] { set_conv(CUDNN_DATA_FLOAT, 2); }, [&] { set_conv(CUDNN_DATA_FLOAT, 1); });
  wrong([&] { set_conv(CUDNN_DATA_DOUBLE, 1); }, [&] { set_conv(CUDNN_DATA_FLOAT, 1); });
  wrong([&] { cudnnSetConvolutionGroupCount(c.conv, 2); },
        [&] { cudnnSetConvolutionGroupCount(c.conv, 1); });
  // Formats that differ are no mistake, but nothing runs.
  cudnnSetTensor4dDescriptor(c.y, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, 1, 3, 4, 4);
  CHECK(findings(CUDNN_STATUS_NOT_SUPPORTED) == 0);
}

TEST_CASE(
    "cuDNN double: workspace and alignment are checked, and buffers against what is described") {
  const Clean clean;
  const Convolution c;
  DeviceArray<float> x(32), w(54), y(48), large(60);
  size_t bytes = 0;
  CHECK(cudnnGetConvolutionForwardWorkspaceSize(c.handle, c.x, c.w, c.conv, c.y,
                                                CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM,
                                                &bytes) == CUDNN_STATUS_SUCCESS);
  CHECK(bytes > 0);
  DeviceArray<char> space(bytes);
  CHECK(c.run(x.data, w.data, y.data, space.data, bytes - 1, 1) == CUDNN_STATUS_BAD_PARAM);
  CHECK(of_kind("workspace").size() == 1);
  CHECK(c.run(x.data, w.data, y.data, space.data, bytes, 1) == CUDNN_STATUS_SUCCESS);
  CHECK(c.run(x.data, w.data, large.data + 1, space.data, bytes, 1) == CUDNN_STATUS_BAD_PARAM);
  CHECK(of_kind("misaligned").size() == 1);
  CHECK(c.run(x.data, x.data, y.data, nullptr, 0, 0) == CUDNN_STATUS_SUCCESS);
  ok(cudaDeviceSynchronize());
  CHECK(of_kind("out-of-bounds").size() == 1);  // the filter has 54 values, x only 32
  CHECK(cudnnDestroyTensorDescriptor(c.x) == CUDNN_STATUS_SUCCESS);
  CHECK(cudnnDestroyTensorDescriptor(c.x) == CUDNN_STATUS_BAD_PARAM);
  CHECK(of_kind("wrong-descriptor").size() == 1);
  CHECK(cudnnCreateTensorDescriptor(const_cast<cudnnTensorDescriptor_t*>(&c.x)) ==
        CUDNN_STATUS_SUCCESS);  // for the destructor
}

TEST_CASE("cuBLAS double: bfloat16 is summed in f32, split sums only where the math mode lets it") {
  const Clean clean;
  const Blas blas;
  // 1 and three times 2^-9: joined in bfloat16 one after the other, they would be lost.
  const std::vector<uint16_t> values = {to_bf16(1), to_bf16(1.0f / 512), to_bf16(1.0f / 512),
                                        to_bf16(1.0f / 512)};
  DeviceArray<uint16_t> a(values), b(std::vector<uint16_t>(4, to_bf16(1))), c(1);
  DeviceArray<float> wide(1);
  const float one = 1, zero = 0;
  const auto multiply = [&](void* out, cudaDataType type, cublasComputeType_t compute) {
    const cublasStatus_t status = cublasGemmEx_64(
        blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 4, &one, a.data, CUDA_R_16BF, 1, b.data,
        CUDA_R_16BF, 4, &zero, out, type, 1, compute, CUBLAS_GEMM_DEFAULT);
    ok(cudaDeviceSynchronize());
    return status;
  };
  for (const bool split : {true, false}) {
    cublasSetMathMode(blas.handle, split ? CUBLAS_DEFAULT_MATH
                                         : CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION);
    CHECK(multiply(c.data, CUDA_R_16BF, CUBLAS_COMPUTE_32F) == CUBLAS_STATUS_SUCCESS);
    CHECK(from_bf16(c.host()[0]) == (split ? 1 : 1 + 1.0f / 128));
    CHECK(multiply(wide.data, CUDA_R_32F, CUBLAS_COMPUTE_32F) == CUBLAS_STATUS_SUCCESS);
    CHECK(wide.host()[0] == 1 + 3.0f / 512);
  }
  CHECK(multiply(c.data, CUDA_R_16BF, CUBLAS_COMPUTE_64F) == CUBLAS_STATUS_NOT_SUPPORTED);
}

TEST_CASE("cuDNN double: bfloat16 runs over NHWC with f32 sums, on tensor cores") {
  const Clean clean;
  Convolution c;
  const auto describe = [&](cudnnTensorFormat_t format, cudnnDataType_t compute) {
    cudnnSetTensor4dDescriptor(c.x, format, CUDNN_DATA_BFLOAT16, 1, 2, 4, 4);
    cudnnSetTensor4dDescriptor(c.y, format, CUDNN_DATA_BFLOAT16, 1, 3, 4, 4);
    cudnnSetFilter4dDescriptor(c.w, CUDNN_DATA_BFLOAT16, format, 3, 2, 3, 3);
    cudnnSetConvolution2dDescriptor(c.conv, 1, 1, 1, 1, 1, 1, CUDNN_CROSS_CORRELATION, compute);
  };
  std::vector<uint16_t> ones(54, to_bf16(1)), pixels(32, to_bf16(1));
  pixels[0] = to_bf16(1 + 1.0f / 128);
  DeviceArray<uint16_t> x(pixels), w(ones), y(48);
  const auto run = [&] {
    const float one = 1, zero = 0;
    const cudnnStatus_t status = cudnnConvolutionForward(
        c.handle, &one, c.x, x.data, c.w, w.data, c.conv, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM,
        nullptr, 0, &zero, c.y, y.data);
    ok(cudaDeviceSynchronize());
    return status;
  };
  describe(CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT);
  cudnnSetConvolutionMathType(c.conv, CUDNN_TENSOR_OP_MATH);
  CHECK(run() == CUDNN_STATUS_SUCCESS);
  CHECK(from_bf16(y.host()[0]) == 8);    // 8 + 2^-7, rounded once
  CHECK(from_bf16(y.host()[15]) == 18);  // inside
  cudnnSetConvolutionMathType(c.conv, CUDNN_FMA_MATH);
  CHECK(run() == CUDNN_STATUS_NOT_SUPPORTED);
  cudnnSetConvolutionMathType(c.conv, CUDNN_TENSOR_OP_MATH);
  describe(CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT);
  CHECK(run() == CUDNN_STATUS_NOT_SUPPORTED);
  CHECK(of_kind("wrong-descriptor").empty());
  describe(CUDNN_TENSOR_NHWC, CUDNN_DATA_BFLOAT16);  // sums in bfloat16
  CHECK(run() == CUDNN_STATUS_BAD_PARAM);
  CHECK(of_kind("wrong-descriptor").size() == 1);
}

TEST_CASE("library doubles: roundings of TF32 and bfloat16") {
  CHECK(to_tf32(1 + 1.0f / 1024) == 1 + 1.0f / 1024);
  CHECK(to_tf32(1 + 1.0f / 2048) == 1.0f);  // a tie goes to the even neighbour
  CHECK(to_tf32(1 + 3.0f / 2048) == 1 + 2.0f / 1024);
  CHECK(std::isinf(to_tf32(INFINITY)));
  CHECK(from_bf16(to_bf16(1 + 1.0f / 128)) == 1 + 1.0f / 128);
  CHECK(from_bf16(to_bf16(1 + 1.0f / 256)) == 1.0f);
  CHECK(std::isnan(from_bf16(to_bf16(NAN))));
}

}  // namespace
}  // namespace ditto::emulation
