// Matrix product kernels: C = alpha * op(A) op(B) + beta * C, row-major and contiguous.
//
// On the CPU, f32 runs through oneDNN's sgemm and f64 through our plain blocked loop; on CUDA both
// through cuBLAS. bf16 is summed in f32: on CUDA by cuBLAS, on the CPU through copies in f32.
#pragma once

#include "core/context.h"
#include "core/view.h"

namespace ditto::kernels {

struct MatmulParams {
  bool transpose_a = false;  // A is (K, M) instead of (M, K)
  bool transpose_b = false;  // B is (N, K) instead of (K, N)
  double alpha = 1;
  double beta = 0;  // 0: C is written without being read
};

// A, B, C: 2-D. Throws "[matmul] ..." when dtypes or inner sizes differ. K = 0 gives beta * C.
void matmul(CpuContext& ctx, const View& a, const View& b, const View& c, const MatmulParams& p);
// f32 inputs are rounded to TF32 where the context allows it.
void matmul(CudaContext& ctx, const View& a, const View& b, const View& c, const MatmulParams& p);

}  // namespace ditto::kernels
