// Plan. Gather reads and writes each selected row once, in units of 16, 4 or 1 bytes, whatever the
// row and the bases allow; neighbouring threads take neighbouring units.
//
// Scatter must add rows of equal index, in the order of their positions, and give the same bits
// every time: no atomics. The first position of every index owns its row of dx: a warp per position
// looks for an earlier one with the same index (then it has nothing to do) and otherwise for the
// later ones, 32 at a time, and adds them up. dx is cleared first. Bytes: dx and dy once, and the
// list of indices m times, m^2 / 32 loads of a warp that hit the caches: nothing beside the rows
// for the thousands of rows that losses select. Considered: a sort by index (O(m), but several
// launches and a workspace), and searching from the rows of dx (n m instead of m^2, and n is the
// larger).
//
// The gradient of rows in bf16 goes through a copy of dy and dx in f32: added up in dx itself, rows
// of equal index would be rounded at every step.
//
// An index out of range is reported by the next synchronising call (core/cuda_fault.h); its row is
// zero.
#include "kernels/gather_scatter.h"

#include "kernels/fault.cuh"
#include "kernels/launch.cuh"
#include "kernels/through_f32.h"
#include "kernels/vector.cuh"
#include "kernels/warp.cuh"

namespace ditto::kernels {
namespace {

constexpr int kThreads = 256;

struct alignas(16) Bytes16 {
  uint32_t words[4];
};

template <class Unit>
__global__ void __launch_bounds__(kThreads)
    gather_kernel(const Unit* x, const int64_t* index, Unit* y, int64_t units, int64_t total,
                  int64_t n, CudaFault* fault) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= total) return;
  const int64_t row = i / units, unit = i % units, at = index[row];
  const bool inside = at >= 0 && at < n;
  if (!inside && unit == 0) report_fault(fault, FaultKind::GatherIndex, at, row, n);
  y[i] = inside ? x[at * units + unit] : Unit{};
}

template <class Unit>
void gather(CudaContext& ctx, const View& x, const View& index, const View& y, int64_t row_bytes) {
  const int64_t units = row_bytes / int64_t{sizeof(Unit)}, total = units * index.numel();
  launch(ctx, "gather_rows", gather_kernel<Unit>,
         {.grid = divide_up(total, kThreads), .block = kThreads}, static_cast<const Unit*>(x.data),
         index.as<int64_t>(), static_cast<Unit*>(y.data), units, total, x.shape.front(),
         ctx.fault());
}

template <class T>
__global__ void __launch_bounds__(kThreads) scatter_kernel(const T* dy, const int64_t* index, T* dx,
                                                           int64_t m, int64_t n, int64_t columns) {
  const int64_t i = (int64_t{blockIdx.x} * kThreads + threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (i >= m) return;  // a whole warp
  const int64_t at = index[i];
  if (at < 0 || at >= n) return;
#pragma unroll 1  // unrolled, the barrier registers of the branches spill
  for (int64_t j = 0; j < i; j += kWarp)
    if (__any_sync(kAllLanes, j + lane < i && index[j + lane] == at)) return;
  T* to = dx + at * columns;
#pragma unroll 2
  for (int64_t c = lane; c < columns; c += kWarp) to[c] = dy[i * columns + c];
#pragma unroll 1
  for (int64_t j = i + 1; j < m; j += kWarp) {
    unsigned found = __ballot_sync(kAllLanes, j + lane < m && index[j + lane] == at);
#pragma unroll 1
    for (; found != 0; found &= found - 1) {
      const T* from = dy + (j + __ffs(static_cast<int>(found)) - 1) * columns;
#pragma unroll 2
      for (int64_t c = lane; c < columns; c += kWarp) to[c] += from[c];
    }
  }
}

}  // namespace

void gather_rows(CudaContext& ctx, const View& x, const View& index, const View& y) {
  if (index.numel() == 0) return;
  const int64_t bytes = y.numel() / index.numel() * size_of(x.dtype);
  const auto* from = static_cast<const char*>(x.data);
  const auto* to = static_cast<const char*>(y.data);
  if (bytes % 16 == 0 && aligned16(from, to)) return gather<Bytes16>(ctx, x, index, y, bytes);
  const auto bases = reinterpret_cast<uintptr_t>(from) | reinterpret_cast<uintptr_t>(to);
  if (bytes % 4 == 0 && bases % 4 == 0) return gather<uint32_t>(ctx, x, index, y, bytes);
  gather<uint8_t>(ctx, x, index, y, bytes);
}

void scatter_add_rows(CudaContext& ctx, const View& dy, const View& index, const View& dx) {
  if (dx.dtype == Dtype::BF16)
    return through_f32(ctx, [&](auto& f) { scatter_add_rows(ctx, f.in(dy), index, f.out(dx)); });
  on_float(dy.dtype, "index_select", [&]<class T>(T) {
    const int64_t m = index.numel();
    const auto bytes = static_cast<size_t>(dx.numel()) * sizeof(T);
    if (bytes > 0)
      cuda_check(cudaMemsetAsync(dx.as<T>(), 0, bytes, ctx.stream()), "cudaMemsetAsync of dx");
    if (m == 0 || bytes == 0) return;
    launch(ctx, "scatter_add_rows", scatter_kernel<T>,
           {.grid = divide_up(m, kThreads / kWarp), .block = kThreads}, dy.as<T>(),
           index.as<int64_t>(), dx.as<T>(), m, dx.shape.front(), dy.numel() / m);
  });
}

}  // namespace ditto::kernels
