// Plan. x is read twice, y written once; backward reads dy and y twice and writes dx. Embeddings
// are some hundred numbers wide and a warp per row reads neighbouring addresses; its second reading
// comes from the L1 cache. Rows are independent, sums in a fixed tree. Considered: the row in
// registers between the two readings (needs its length when compiling, to save hits in the cache).
#include "kernels/l2_normalize.h"

#include "kernels/launch.cuh"
#include "kernels/warp.cuh"

namespace ditto::kernels {
namespace {

constexpr int kThreads = 128;
constexpr int kRows = kThreads / kWarp;

template <class T>
__global__ void __launch_bounds__(kThreads)
    forward_kernel(const T* x, T eps, T* y, T* lengths, int64_t rows, int64_t d) {
  const int64_t row = int64_t{blockIdx.x} * kRows + threadIdx.x / kWarp;
  if (row >= rows) return;
  const int lane = threadIdx.x % kWarp;
  T sum = 0;
  for (int64_t c = lane; c < d; c += kWarp) sum += x[row * d + c] * x[row * d + c];
  const T root = sqrt(warp_sum(sum));
  const T length = root < eps ? eps : root;  // NaN stays
  if (lane == 0) lengths[row] = length;
  for (int64_t c = lane; c < d; c += kWarp) y[row * d + c] = x[row * d + c] / length;
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    backward_kernel(const T* dy, const T* y, const T* lengths, T eps, T* dx, int64_t rows,
                    int64_t d) {
  const int64_t row = int64_t{blockIdx.x} * kRows + threadIdx.x / kWarp;
  if (row >= rows) return;
  const int lane = threadIdx.x % kWarp;
  const T length = lengths[row];
  T dot = 0;
  if (length > eps) {
    for (int64_t c = lane; c < d; c += kWarp) dot += dy[row * d + c] * y[row * d + c];
    dot = warp_sum(dot);
  }
  for (int64_t c = lane; c < d; c += kWarp)
    dx[row * d + c] = (dy[row * d + c] - dot * y[row * d + c]) / length;
}

}  // namespace

void l2_normalize_forward(CudaContext& ctx, const View& x, double eps, const View& y,
                          const View& lengths) {
  on_float(x.dtype, "l2_normalize", [&]<class T>(T) {
    launch(ctx, "l2_normalize_forward", forward_kernel<T>,
           {.grid = divide_up(x.shape[0], kRows), .block = kThreads}, x.as<T>(),
           static_cast<T>(eps), y.as<T>(), lengths.as<T>(), x.shape[0], x.shape[1]);
  });
}
void l2_normalize_backward(CudaContext& ctx, const View& dy, const View& y, const View& lengths,
                           double eps, const View& dx) {
  on_float(y.dtype, "l2_normalize", [&]<class T>(T) {
    launch(ctx, "l2_normalize_backward", backward_kernel<T>,
           {.grid = divide_up(y.shape[0], kRows), .block = kThreads}, dy.as<T>(), y.as<T>(),
           lengths.as<T>(), static_cast<T>(eps), dx.as<T>(), y.shape[0], y.shape[1]);
  });
}

}  // namespace ditto::kernels
