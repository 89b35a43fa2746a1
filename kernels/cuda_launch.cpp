#include "kernels/cuda_launch.h"

#include <cstdlib>
#include <cstring>

namespace ditto::kernels {
namespace {

bool synchronous() {
  static const bool on = [] {
    const char* value = std::getenv("DITTO_CUDA_SYNC");
    return value && *value && std::strcmp(value, "0") != 0;
  }();
  return on;
}

std::string tag(const char* name) { return std::string("[") + name + "]"; }

}  // namespace

bool check_launch(const CudaContext& ctx, const char* name, const LaunchConfig& config) {
  const Extent &grid = config.grid, &block = config.block;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return false;
  constexpr int64_t kMaxX = INT32_MAX, kMaxYZ = 65535, kMaxThreads = 1024, kMaxBlockZ = 64;
  if (grid.x < 0 || grid.y < 0 || grid.z < 0 || grid.x > kMaxX || grid.y > kMaxYZ ||
      grid.z > kMaxYZ)
    fail(tag(name) + " a grid of", grid.x, "x", grid.y, "x", grid.z,
         "blocks is beyond 2147483647 x 65535 x 65535");
  if (block.x < 1 || block.y < 1 || block.z < 1 || block.x > kMaxThreads || block.y > kMaxThreads ||
      block.z > kMaxBlockZ || block.count() > kMaxThreads)
    fail(tag(name) + " a block of", block.x, "x", block.y, "x", block.z,
         "threads is beyond 1024 threads (64 in z)");
  if (config.shared_bytes < 0 || config.shared_bytes > ctx.shared_bytes_limit())
    fail(tag(name) + " needs", config.shared_bytes, "bytes of shared memory per block;",
         ctx.device(), "has", ctx.shared_bytes_limit());
  return true;
}

void finish_launch(CudaContext& ctx, const char* name, cudaError_t status) {
  if (status == cudaSuccess) status = cudaGetLastError();
  if (status == cudaSuccess && synchronous() && !ctx.capturing())
    status = cudaStreamSynchronize(ctx.stream());
  cuda_check(status, "launch of", name);
}

}  // namespace ditto::kernels
