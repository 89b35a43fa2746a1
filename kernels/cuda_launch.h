// The host's part of launch.cuh, without anything that needs the CUDA compiler: sizes, their
// limits, errors.
#pragma once

#include "core/cuda_context.h"

namespace ditto::kernels {

// Sizes of a grid or a block, wide enough that a too large one is seen.
struct Extent {
  int64_t x = 1, y = 1, z = 1;
  Extent(int64_t x, int64_t y = 1, int64_t z = 1) : x(x), y(y), z(z) {}
  int64_t count() const { return x * y * z; }
  dim3 dim() const {
    return dim3(static_cast<unsigned>(x), static_cast<unsigned>(y), static_cast<unsigned>(z));
  }
};

struct LaunchConfig {
  Extent grid = 1;
  Extent block = 256;
  int64_t shared_bytes = 0;  // dynamic shared memory
};

// Throws "[name] ..." when the sizes are beyond the limits; false when there is nothing to do.
bool check_launch(const CudaContext& ctx, const char* name, const LaunchConfig& config);
// Throws when the launch failed; waits first where DITTO_CUDA_SYNC asks for it and no graph is
// captured.
void finish_launch(CudaContext& ctx, const char* name, cudaError_t status);
}  // namespace ditto::kernels
