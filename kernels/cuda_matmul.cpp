// Matrix products on CUDA: cuBLAS, which thinks in columns. A row-major matrix is its transpose to
// cuBLAS, so C = op(A) op(B) is asked for as C' = op(B)' op(A)': the operands change places and
// nothing is copied. bf16 is multiplied and added up in f32 and rounded once (it needs a GPU of
// compute capability 8.0).
#include <cublas_v2.h>

#include <algorithm>

#include "core/cuda_context.h"
#include "kernels/compute_type.h"
#include "kernels/matmul_sizes.h"

namespace ditto::kernels {
namespace {

void multiply(CudaContext& ctx, const MatmulSizes& s, Dtype dtype, const View& a, const View& b,
              const View& c, const MatmulParams& p) {
  const bool wide = dtype == Dtype::F64;
  const cudaDataType type = wide ? CUDA_R_64F : dtype == Dtype::BF16 ? CUDA_R_16BF : CUDA_R_32F;
  // alpha and beta have the type of the sums.
  const double wide_scales[2] = {p.alpha, p.beta};
  const float scales[2] = {static_cast<float>(p.alpha), static_cast<float>(p.beta)};
  const void* const alpha = wide ? static_cast<const void*>(&wide_scales[0]) : &scales[0];
  const void* const beta = wide ? static_cast<const void*>(&wide_scales[1]) : &scales[1];
  // Rows of the matrices in memory are at least one element apart, even where they are empty.
  const int64_t a_row = p.transpose_a ? s.m : std::max<int64_t>(s.k, 1);
  const int64_t b_row = p.transpose_b ? std::max<int64_t>(s.k, 1) : s.n;
  const cublasStatus_t status =
      cublasGemmEx_64(ctx.cublas(), p.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N,
                      p.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, s.n, s.m, s.k, alpha, b.data, type,
                      b_row, a.data, type, a_row, beta, c.data, type, s.n,
                      wide ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
  check(status == CUBLAS_STATUS_SUCCESS,
        "[matmul] cublasGemmEx failed:", cublasGetStatusName(status), "for m", s.m, "n", s.n, "k",
        s.k, dtype, dtype == Dtype::BF16 ? "(needs compute capability 8.0)" : "");
}

}  // namespace

void matmul(CudaContext& ctx, const View& a, const View& b, const View& c, const MatmulParams& p) {
  const MatmulSizes s = checked_matmul_sizes(ctx.device(), a, b, c, p);
  if (s.m == 0 || s.n == 0) return;
  on_float_or_bf16(a.dtype, "matmul", [&]<class T>(T) {
    // An empty sum: A and B are not read, beta = 0 overwrites NaN too.
    const bool empty = s.k == 0 || p.alpha == 0;
    if (empty && p.beta == 0)
      return cuda_check(
          cudaMemsetAsync(c.data, 0, static_cast<size_t>(s.m * s.n) * sizeof(T), ctx.stream()),
          "cudaMemsetAsync of a matrix product");
    MatmulSizes sizes = s;
    if (empty) sizes.k = 0;
    multiply(ctx, sizes, a.dtype, a, b, c, p);
  });
}

}  // namespace ditto::kernels
