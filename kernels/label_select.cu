// Plan. pick reads one element per row, a sector each; nothing less is possible. put is a scaled
// copy (or a clearing) of the matrix, which streams, and then one element written per row; a kernel
// of its own would save those n writes of a sector beside n K elements. A thread per row.
// Least bytes of pick: 32 n (the sectors) + 12 n (labels, result), and that is what it moves.
//
// A label out of range is reported by the next synchronising call (core/cuda_fault.h); pick gives
// 0 for its row and put leaves the row as it is.
#include "kernels/elementwise.h"
#include "kernels/fault.cuh"
#include "kernels/label_select.h"
#include "kernels/launch.cuh"

namespace ditto::kernels {
namespace {

constexpr int kThreads = 256;

// The label of row i, or -1 for none.
__device__ int64_t label_of(const int64_t* labels, int64_t i, int64_t ignore, int64_t classes,
                            CudaFault* fault) {
  const int64_t label = labels[i];
  if (label == ignore) return -1;
  if (label >= 0 && label < classes) return label;
  report_fault(fault, FaultKind::SelectLabel, label, i, classes);
  return -1;
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    pick_kernel(const T* x, const int64_t* labels, int64_t ignore, T* y, int64_t n, int64_t k,
                CudaFault* fault) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= n) return;
  const int64_t label = label_of(labels, i, ignore, k, fault);
  y[i] = label < 0 ? T(0) : x[i * k + label];
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    put_kernel(const int64_t* labels, const T* values, T scale, int64_t ignore, T* y, int64_t n,
               int64_t k, CudaFault* fault) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= n) return;
  const int64_t label = label_of(labels, i, ignore, k, fault);
  if (label >= 0) y[i * k + label] = values ? scale * values[i] : T(0);
}

}  // namespace

void pick_label(CudaContext& ctx, const View& x, const View& labels, int64_t ignore,
                const View& y) {
  on_float(x.dtype, "pick_label", [&]<class T>(T) {
    const int64_t n = y.numel();
    if (n == 0) return;
    launch(ctx, "pick_label", pick_kernel<T>, {.grid = divide_up(n, kThreads), .block = kThreads},
           x.as<T>(), labels.as<int64_t>(), ignore, y.as<T>(), n, x.shape.back(), ctx.fault());
  });
}

void put_label(CudaContext& ctx, const View& x, const View& labels, const View& values,
               double factor, int64_t ignore, const View& y) {
  on_float(y.dtype, "put_label", [&]<class T>(T) {
    const int64_t n = y.shape.front();
    if (y.numel() == 0) return;
    if (x.defined())
      scale(ctx, x, factor, y);
    else
      fill(ctx, 0, y);
    launch(ctx, "put_label", put_kernel<T>, {.grid = divide_up(n, kThreads), .block = kThreads},
           labels.as<int64_t>(), values.defined() ? values.as<T>() : nullptr,
           static_cast<T>(factor), ignore, y.as<T>(), n, y.shape.back(), ctx.fault());
  });
}

}  // namespace ditto::kernels
