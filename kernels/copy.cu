// Copies and fills on one device, called by core (core/cuda_copy.h).
//
// Plan. A contiguous copy of one dtype is the driver's: cudaMemcpyAsync reaches the memory's speed.
// Everything else is one thread per element in the target's order, so writes are coalesced; reads
// are where the source's last stride is 1. Each element is read and written once, which is the
// minimum. Copies of one dtype know only the element's size, not its type: four kernels instead of
// eight; conversions are one kernel for each of the 56 pairs. Between f32 and bf16, the conversion
// of mixed precision, a thread of contiguous copies takes four elements: 16 bytes on one side and 8
// on the other, both without gaps in a warp. Considered: tiles in shared memory for transposes
// (NHWC to NCHW); ditto transposes weights at the file boundary and nothing in a training step, so
// that is not worth a second kernel.
//
// A fill of contiguous memory writes 16 bytes per thread, or is a cudaMemset when all is zero.
#include "core/convert.h"
#include "core/cuda_copy_kernels.h"
#include "core/dtype.h"
#include "core/on_device.h"
#include "kernels/launch.cuh"
#include "kernels/strided.cuh"
#include "kernels/vector.cuh"

namespace ditto {
namespace kernels {
namespace {

constexpr int kBlock = 256;

template <class From, class To>
__global__ void __launch_bounds__(kBlock)
    copy_kernel(Walk<2> walk, uint32_t n, const From* src, To* dst) {
  const uint32_t i = blockIdx.x * static_cast<uint32_t>(kBlock) + threadIdx.x;
  if (i >= n) return;
  int64_t at[2];
  locate(walk, i, at);
  dst[at[1]] = convert<To>(src[at[0]]);
}

// Four elements per thread; those of the last, incomplete pack have a thread each.
template <class From, class To>
__global__ void __launch_bounds__(kBlock) convert_packs(int64_t n, const From* src, To* dst) {
  const int64_t i = blockIdx.x * static_cast<int64_t>(kBlock) + threadIdx.x, packs = n / 4;
  if (i < packs)
    store_pack(dst + 4 * i, load_pack<4>(src + 4 * i));
  else if (const int64_t at = 4 * packs + (i - packs); at < n)
    dst[at] = convert<To>(src[at]);
}

template <class From, class To>
void copy_elements(CudaContext& ctx, const View& src, const View& dst) {
  const auto* from = static_cast<const From*>(src.data);
  auto* to = static_cast<To*>(dst.data);
  if constexpr (!std::is_same_v<From, To> && std::is_same_v<ComputeType<From>, float> &&
                std::is_same_v<ComputeType<To>, float>)
    if (src.is_contiguous() && dst.is_contiguous() && aligned16(from, to)) {
      const int64_t n = dst.numel();
      return launch(ctx, "copy", convert_packs<From, To>,
                    {.grid = divide_up(n / 4 + n % 4, kBlock), .block = kBlock}, n, from, to);
    }
  const auto walk = make_walk(StridedLoop<2>(dst.shape, {src.strides, dst.strides}));
  in_parts(walk, dst.numel(), [&](const auto& part, int64_t n, int64_t, const auto& at) {
    launch(ctx, "copy", copy_kernel<From, To>, {.grid = divide_up(n, kBlock), .block = kBlock},
           part, static_cast<uint32_t>(n), from + at[0], to + at[1]);
  });
}

template <class T>
__global__ void __launch_bounds__(kBlock) fill_kernel(Walk<1> walk, uint32_t n, T value, T* dst) {
  const uint32_t i = blockIdx.x * static_cast<uint32_t>(kBlock) + threadIdx.x;
  if (i >= n) return;
  int64_t at[1];
  locate(walk, i, at);
  dst[at[0]] = value;
}

// 16 bytes per thread; the bytes of the last, incomplete pack have a thread each.
__global__ void __launch_bounds__(kBlock)
    fill_packs(uint64_t pattern, int64_t bytes, unsigned char* dst) {
  const int64_t i = blockIdx.x * static_cast<int64_t>(kBlock) + threadIdx.x, packs = bytes / 16;
  if (i < packs) {
    reinterpret_cast<ulonglong2*>(dst)[i] = make_ulonglong2(pattern, pattern);
  } else if (const int64_t at = packs * 16 + (i - packs); at < bytes) {
    dst[at] = static_cast<unsigned char>(pattern >> (at % 8 * 8));
  }
}

template <class T>
void fill_elements(CudaContext& ctx, uint64_t pattern, const View& dst) {
  const auto walk = make_walk(StridedLoop<1>(dst.shape, {dst.strides}));
  in_parts(walk, dst.numel(), [&](const auto& part, int64_t n, int64_t, const auto& at) {
    launch(ctx, "fill", fill_kernel<T>, {.grid = divide_up(n, kBlock), .block = kBlock}, part,
           static_cast<uint32_t>(n), static_cast<T>(pattern), static_cast<T*>(dst.data) + at[0]);
  });
}

// Calls f with an unsigned integer of that many bytes.
template <class F>
void on_size(int64_t bytes, F&& f) {
  if (bytes == 1)
    f(uint8_t{});
  else if (bytes == 2)
    f(uint16_t{});
  else if (bytes == 4)
    f(uint32_t{});
  else
    f(uint64_t{});
}

// The element's bytes for `value`, repeated to fill 8.
uint64_t pattern_of(double value, Dtype dtype) {
  uint64_t pattern = 0;
  const int64_t size = size_of(dtype);
  View source{&value, Dtype::F64, kCpu, {8 / size}, {0}};
  copy_view(source, {&pattern, dtype, kCpu, source.shape, {1}});
  return pattern;
}

}  // namespace
}  // namespace kernels

void copy_on_device(CudaContext& ctx, const View& src, const View& dst) {
  using namespace kernels;
  check(src.shape == dst.shape, "[copy] shapes differ:", src.shape, "and", dst.shape);
  if (dst.numel() == 0) return;
  if (src.dtype == dst.dtype) {
    if (src.is_contiguous() && dst.is_contiguous())
      cuda_check(
          cudaMemcpyAsync(dst.data, src.data, static_cast<size_t>(dst.numel() * size_of(dst.dtype)),
                          cudaMemcpyDeviceToDevice, ctx.stream()),
          "cudaMemcpyAsync on the device");
    else
      on_size(size_of(src.dtype),
              [&](auto zero) { copy_elements<decltype(zero), decltype(zero)>(ctx, src, dst); });
    return;
  }
  on_any(src.dtype, [&](auto from) {
    on_any(dst.dtype, [&](auto to) {
      if constexpr (!std::is_same_v<decltype(from), decltype(to)>)
        copy_elements<decltype(from), decltype(to)>(ctx, src, dst);
    });
  });
}

void fill_on_device(CudaContext& ctx, double value, const View& dst) {
  using namespace kernels;
  if (dst.numel() == 0) return;
  const uint64_t pattern = pattern_of(value, dst.dtype);
  const int64_t bytes = dst.numel() * size_of(dst.dtype);
  const bool aligned = reinterpret_cast<uintptr_t>(dst.data) % 16 == 0;
  if (dst.is_contiguous() && pattern == 0)
    cuda_check(cudaMemsetAsync(dst.data, 0, static_cast<size_t>(bytes), ctx.stream()),
               "cudaMemsetAsync of", bytes, "bytes");
  else if (dst.is_contiguous() && aligned)
    launch(ctx, "fill", fill_packs,
           {.grid = divide_up(bytes / 16 + bytes % 16, kBlock), .block = kBlock}, pattern, bytes,
           static_cast<unsigned char*>(dst.data));
  else
    on_size(size_of(dst.dtype),
            [&](auto zero) { fill_elements<decltype(zero)>(ctx, pattern, dst); });
}

}  // namespace ditto
