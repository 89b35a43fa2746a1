// report_fault: how a kernel tells of a bad value (core/cuda_fault.h).
#pragma once

#include "core/cuda_fault.h"
#include "kernels/launch.cuh"

namespace ditto::kernels {

// The first thread of all that comes fills the record.
__device__ inline void report_fault(CudaFault* fault, FaultKind kind, int64_t value, int64_t row,
                                    int64_t limit) {
  if (atomicCAS(&fault->taken, 0u, 1u) != 0u) return;
  fault->kind = kind;
  fault->value = value;
  fault->row = row;
  fault->limit = limit;
}

}  // namespace ditto::kernels
