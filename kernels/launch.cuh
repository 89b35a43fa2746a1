// launch: starts a kernel on a context's stream, the same source under nvcc and on the emulated
// device.
//
//   launch(ctx, "softmax_forward", softmax_kernel<float>, {.grid = rows, .block = 128}, args...);
//
// Empty grids return; sizes beyond the hardware's limits and errors of the launch throw with the
// kernel's name. DITTO_CUDA_SYNC=1 waits after every launch, so that an error of a running kernel
// names the guilty one.
#pragma once

#include <cuda_runtime.h>

#include <functional>
#include <tuple>

#include "kernels/cuda_launch.h"
#include "kernels/host_device.h"

// Block-shared arrays. The emulated device carves them from an arena of the block; the address of a
// static marks which declaration asks.
//   SHARED_ARRAY(float, tile, 256);   __shared__ float tile[256];
//   DYNAMIC_SHARED(float, tile);      float* tile, as large as LaunchConfig::shared_bytes says
#ifndef DITTO_CUDA_EMULATED
#define SHARED_ARRAY(T, name, count) __shared__ T name[count]
#define DYNAMIC_SHARED(T, name)                        \
  extern __shared__ __align__(16) char ditto_shared[]; \
  T* const name = reinterpret_cast<T*>(ditto_shared)
#elif !defined(SHARED_ARRAY)
#define SHARED_ARRAY(T, name, count)   \
  static const char name##_key = 0;    \
  T(&name)                             \
  [count] = *static_cast<T(*)[count]>( \
      ::ditto::emulation::shared_array(&name##_key, sizeof(T) * (count), alignof(T), #name))
#define DYNAMIC_SHARED(T, name) \
  T* const name = static_cast<T*>(::ditto::emulation::dynamic_shared(alignof(T)))
#endif

namespace ditto::kernels {

// 48 KiB of dynamic shared memory are free to use, more only after asking.
inline constexpr int64_t kFreeSharedBytes = 48 * 1024;

template <class... Params, class... Args>
void launch(CudaContext& ctx, const char* name, void (*kernel)(Params...),
            const LaunchConfig& config, Args&&... args) {
  static_assert(sizeof...(Params) == sizeof...(Args), "wrong number of kernel arguments");
  static_assert((sizeof(Params) + ... + 0) <= 4096, "kernel arguments are limited to 4 KiB");
  if (!check_launch(ctx, name, config)) return;
#ifdef DITTO_CUDA_EMULATED
  std::tuple<std::decay_t<Params>...> copies(static_cast<Params>(std::forward<Args>(args))...);
  emulation::launch(ctx.stream(), name, config.grid.dim(), config.block.dim(),
                    static_cast<size_t>(config.shared_bytes),
                    [kernel, copies] { std::apply(kernel, copies); });
  finish_launch(ctx, name, cudaGetLastError());
#else
  cudaError_t status = cudaSuccess;
  if (config.shared_bytes > kFreeSharedBytes)
    status = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  static_cast<int>(config.shared_bytes));
  if (status == cudaSuccess) {
    cudaLaunchConfig_t launch_config{};
    launch_config.gridDim = config.grid.dim();
    launch_config.blockDim = config.block.dim();
    launch_config.dynamicSmemBytes = static_cast<size_t>(config.shared_bytes);
    launch_config.stream = ctx.stream();
    status = cudaLaunchKernelEx(&launch_config, kernel,
                                static_cast<Params>(std::forward<Args>(args))...);
  }
  finish_launch(ctx, name, status);
#endif
}

// ceil(n / size), e.g. blocks for n elements.
HD int64_t divide_up(int64_t n, int64_t size) { return (n + size - 1) / size; }

}  // namespace ditto::kernels
