// The checks of matmul.h, shared by its CPU and CUDA kernels. Private to kernels.
#pragma once

#include "kernels/matmul.h"

namespace ditto::kernels {

// op(A) is (m, k), op(B) (k, n), C (m, n).
struct MatmulSizes {
  int64_t m, n, k;
};

// Throws "[matmul] ..." unless A, B and C are matrices of one floating dtype on `device` that fit
// each other.
MatmulSizes checked_matmul_sizes(Device device, const View& a, const View& b, const View& c,
                                 const MatmulParams& p);

}  // namespace ditto::kernels
