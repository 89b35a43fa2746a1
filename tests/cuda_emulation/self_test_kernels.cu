// Kernels that show what the emulation does where nothing is wrong.
#include "tests/cuda_emulation/self_test.h"

namespace ditto::emulation::self_test {
namespace {

constexpr unsigned kFull = 0xFFFFFFFF;

template <class Body>
void run(const char* name, dim3 grid, dim3 block, Body body) {
  launch(nullptr, name, grid, block, 0, body);
  cudaDeviceSynchronize();
}

__global__ void warp_kernel(WarpFunction function, const int* x, int* y) {
  const int v = x[threadIdx.x];
  int result = 0;
  switch (function) {
    case WarpFunction::kShuffle:
      result = __shfl_sync(kFull, v, 3, 8);
      break;
    case WarpFunction::kShuffleUp:
      result = __shfl_up_sync(kFull, v, 2, 16);
      break;
    case WarpFunction::kShuffleDown:
      result = __shfl_down_sync(kFull, v, 2, 16);
      break;
    case WarpFunction::kShuffleXor:
      result = __shfl_xor_sync(kFull, v, 5);
      break;
    case WarpFunction::kBallot:
      result = static_cast<int>(__ballot_sync(kFull, v > 0));
      break;
    case WarpFunction::kAny:
      result = __any_sync(kFull, v > 30);
      break;
    case WarpFunction::kAll:
      result = __all_sync(kFull, v > 30);
      break;
    case WarpFunction::kMatchAny:
      result = static_cast<int>(__match_any_sync(kFull, v));
      break;
    case WarpFunction::kMatchAll: {
      int all = 0;
      const unsigned lanes = __match_all_sync(kFull, v, &all);
      result = all ? static_cast<int>(lanes) : 0;
      break;
    }
    case WarpFunction::kReduceAdd:
      result = __reduce_add_sync(kFull, v);
      break;
    case WarpFunction::kReduceMin:
      result = __reduce_min_sync(kFull, v);
      break;
    case WarpFunction::kReduceMax:
      result = __reduce_max_sync(kFull, v);
      break;
    case WarpFunction::kReduceXor:
      result = static_cast<int>(__reduce_xor_sync(kFull, static_cast<unsigned>(v)));
      break;
  }
  y[threadIdx.x] = result;
}

__global__ void double_sum_kernel(const double* x, double* y) {
  double v = x[threadIdx.x];
  for (int distance = 16; distance > 0; distance /= 2) v += __shfl_down_sync(kFull, v, distance);
  if (threadIdx.x == 0) *y = v;
}

__global__ void votes_kernel(int yes, BarrierVotes* y) {
  const int t = threadIdx.x;
  const int count = __syncthreads_count(t < yes);
  const int all = __syncthreads_and(t < yes);
  const int any = __syncthreads_or(t < yes);
  if (t == 0) *y = {count, all, any};
}

__global__ void numbers_kernel(int* y) {
  const int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const int number = block * (blockDim.x * blockDim.y * blockDim.z) + thread;
  y[number] = number;
}

__global__ void ticket_kernel(int* tickets, int* y) {
  __syncthreads();
  y[atomicAdd(tickets, 1)] = blockIdx.x * blockDim.x + threadIdx.x;
}

__global__ void atomic_kernel(AtomicResults* y) {
  const int t = threadIdx.x;
  atomicAdd(&y->add, t);
  atomicMin(&y->minimum, -t);
  atomicMax(&y->maximum, t);
  atomicOr(&y->bits, 1 << t % 31);
  atomicExch(&y->exchanged, 7);
  int seen = atomicAdd(&y->increments, 0), before;
  do {
    before = seen;
    seen = atomicCAS(&y->increments, before, before + 1);
  } while (seen != before);
  atomicAdd(&y->float_add, 0.5f);
}

__global__ void strided_kernel(const float* x, float* y, int count, int stride) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) y[i] = x[i * stride];
}
__global__ void vector_kernel(const float4* x, float4* y, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) y[i] = x[i];
}
__global__ void sum_kernel(const float* x, float* y, int count, int passes) {
  SHARED_ARRAY(float, sums, 32);
  float sum = 0;
  for (int pass = 0; pass < passes; ++pass)
    for (int i = threadIdx.x; i < count; i += 32) sum += x[i];
  sums[threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.x > 0) return;
  for (int lane = 1; lane < 32; ++lane) sum += sums[lane];
  *y = sum;
}
template <int kPitch>
__global__ void transpose_kernel(const float* x, float* y) {
  SHARED_ARRAY(float, tile, 32 * kPitch);
  const int row = threadIdx.y, column = threadIdx.x;
  tile[row * kPitch + column] = x[row * 32 + column];
  __syncthreads();
  y[row * 32 + column] = tile[column * kPitch + row];
}

}  // namespace

std::vector<int> warp_function(WarpFunction function, const std::vector<int>& values) {
  const DeviceArray<int> x(values), y(values.size());
  run("warp_function", 1, 32, [=, x = x.data(), y = y.data()] { warp_kernel(function, x, y); });
  return y.host();
}

double shuffled_double_sum(const std::vector<double>& values) {
  const DeviceArray<double> x(values), y(1);
  run("double_sum", 1, 32, [x = x.data(), y = y.data()] { double_sum_kernel(x, y); });
  return y.host()[0];
}

BarrierVotes barrier_votes(unsigned threads, int yes) {
  const DeviceArray<BarrierVotes> y(1);
  run("votes", 1, threads, [=, y = y.data()] { votes_kernel(yes, y); });
  return y.host()[0];
}

std::vector<int> thread_numbers(dim3 grid, dim3 block) {
  const DeviceArray<int> y(size_t{grid.x} * grid.y * grid.z * block.x * block.y * block.z);
  run("numbers", grid, block, [y = y.data()] { numbers_kernel(y); });
  return y.host();
}

std::vector<int> ticket_order() {
  const DeviceArray<int> tickets(std::vector<int>(1)), y(256);
  run("tickets", 4, 64, [t = tickets.data(), y = y.data()] { ticket_kernel(t, y); });
  return y.host();
}

AtomicResults atomics(unsigned threads) {
  const DeviceArray<AtomicResults> y(std::vector<AtomicResults>(1));
  run("atomics", 1, threads, [y = y.data()] { atomic_kernel(y); });
  return y.host()[0];
}

void copy_strided(const float* x, float* y, int count, int stride) {
  run("copy_strided", (count + 127) / 128, 128, [=] { strided_kernel(x, y, count, stride); });
}
void copy_vectors(const float* x, float* y, int count) {
  auto from = reinterpret_cast<const float4*>(x);
  auto to = reinterpret_cast<float4*>(y);
  run("copy_vectors", (count / 4 + 127) / 128, 128, [=] { vector_kernel(from, to, count / 4); });
}
void copy_broadcast(const float* x, float* y, int count) {
  run("copy_broadcast", (count + 127) / 128, 128, [=] { strided_kernel(x, y, count, 0); });
}
void sum_passes(const float* x, float* y, int count, int passes) {
  run("sum_passes", 1, 32, [=] { sum_kernel(x, y, count, passes); });
}
void transpose_tile(const float* x, float* y, bool padded) {
  if (padded)
    run("transpose_padded", 1, dim3(32, 32), [=] { transpose_kernel<33>(x, y); });
  else
    run("transpose", 1, dim3(32, 32), [=] { transpose_kernel<32>(x, y); });
}

}  // namespace ditto::emulation::self_test
