// One seeded mistake per kernel, and its repair.
#include <cstdio>

#include "tests/cuda_emulation/cudart.h"
#include "tests/cuda_emulation/self_test.h"
#include "tests/cuda_emulation/simt.h"

namespace ditto::emulation::self_test {
namespace {

constexpr int kThreads = 64;
constexpr unsigned kFull = 0xFFFFFFFF;

template <class Body>
void run(const char* name, unsigned blocks, Body body, unsigned threads = kThreads) {
  launch(nullptr, name, dim3(blocks), dim3(threads), 0, body);
  cudaDeviceSynchronize();
}

std::vector<float> ones(int count = kThreads) { return std::vector<float>(count, 1.0f); }

__global__ void neighbour_kernel(const float* x, float* y, bool repaired) {
  SHARED_ARRAY(float, tile, kThreads);
  const int t = threadIdx.x;
  tile[t] = x[t];
  if (repaired) __syncthreads();
  y[t] = tile[(t + 1) % kThreads];  // BUG missing_barrier
}
void missing_barrier(bool repaired) {
  const DeviceArray<float> x(ones()), y(kThreads);
  run("missing_barrier", 1, [=, x = x.data(), y = y.data()] { neighbour_kernel(x, y, repaired); });
}

__global__ void lane_neighbour_kernel(const float* x, float* y, bool repaired) {
  SHARED_ARRAY(float, tile, 32);
  const int t = threadIdx.x;
  tile[t] = x[t];
  if (repaired) __syncwarp();
  y[t] = tile[t ^ 1];  // BUG missing_syncwarp
}
void missing_syncwarp(bool repaired) {
  const DeviceArray<float> x(ones()), y(32);
  auto body = [=, x = x.data(), y = y.data()] { lane_neighbour_kernel(x, y, repaired); };
  run("missing_syncwarp", 1, body, 32);
}

__global__ void divergent_kernel(float* y, bool repaired) {
  const bool some = repaired || threadIdx.x < 16;
  if (some) __syncthreads();  // BUG divergent_barrier
  y[threadIdx.x] = 1;
  __syncthreads();
}
void divergent_barrier(bool repaired) {
  const DeviceArray<float> y(kThreads);
  run("divergent_barrier", 1, [=, y = y.data()] { divergent_kernel(y, repaired); });
}

__global__ void early_return_kernel(float* y, int count, bool repaired) {
  const int t = threadIdx.x;
  if (!repaired && t >= count) return;
  __syncthreads();  // BUG early_return
  if (t < count) y[t] = 1;
}
void early_return(bool repaired) {
  const DeviceArray<float> y(40);
  run("early_return", 1, [=, y = y.data()] { early_return_kernel(y, 40, repaired); });
}

__global__ void half_warp_kernel(float* y, bool repaired) {
  const int t = threadIdx.x;
  float v = static_cast<float>(t);
  const unsigned mask = repaired ? 0x0000FFFF : kFull;
  if (t % 32 < 16) v += __shfl_xor_sync(mask, v, 8);  // BUG shuffle_mask
  y[t] = v;
}
void shuffle_mask(bool repaired) {
  const DeviceArray<float> y(kThreads);
  run("shuffle_mask", 1, [=, y = y.data()] { half_warp_kernel(y, repaired); });
}

__global__ void foreign_mask_kernel(int* y, bool repaired) {
  const unsigned mask = repaired ? kFull : 0x7FFFFFFF;
  y[threadIdx.x] = __any_sync(mask, threadIdx.x == 3);  // BUG mask_without_caller
}
void mask_without_caller(bool repaired) {
  const DeviceArray<int> y(kThreads);
  run("mask_without_caller", 1, [=, y = y.data()] { foreign_mask_kernel(y, repaired); });
}

__global__ void inactive_lane_kernel(float* y, bool repaired) {
  const int t = threadIdx.x;
  float v = static_cast<float>(t);
  const int width = repaired ? 16 : 32;
  if (t % 32 < 16) v += __shfl_down_sync(0x0000FFFF, v, 4, width);  // BUG inactive_lane
  y[t] = v;
}
void inactive_lane(bool repaired) {
  const DeviceArray<float> y(kThreads);
  run("inactive_lane", 1, [=, y = y.data()] { inactive_lane_kernel(y, repaired); });
}

__global__ void read_past_end_kernel(const float* x, float* y, int count, bool repaired) {
  const int t = threadIdx.x;
  const int next = repaired && t + 1 == count ? t : t + 1;
  y[t] = x[next];  // BUG read_past_end
}
void read_past_end(bool repaired) {
  const DeviceArray<float> x(ones()), y(kThreads);
  run("read_past_end", 1,
      [=, x = x.data(), y = y.data()] { read_past_end_kernel(x, y, kThreads, repaired); });
}

__global__ void write_past_end_kernel(float* y, int count, bool repaired) {
  const int t = blockIdx.x * blockDim.x + threadIdx.x;
  const int last = repaired ? count - 1 : count;
  if (t <= last) y[t] = 1;  // BUG write_past_end
}
void write_past_end(bool repaired) {
  const DeviceArray<float> y(100);
  run("write_past_end", 2, [=, y = y.data()] { write_past_end_kernel(y, 100, repaired); });
}

__global__ void shared_past_end_kernel(float* y, bool repaired) {
  SHARED_ARRAY(float, tile, kThreads);
  SHARED_ARRAY(float, next_tile, kThreads);
  const int t = threadIdx.x;
  tile[t] = next_tile[t] = 1;
  __syncthreads();
  const float* row = tile;
  y[t] = row[repaired ? t : t + 1];  // BUG shared_past_end
}
void shared_past_end(bool repaired) {
  const DeviceArray<float> y(kThreads);
  run("shared_past_end", 1, [=, y = y.data()] { shared_past_end_kernel(y, repaired); });
}

__global__ void uninitialised_shared_kernel(const float* x, float* y, int count, bool repaired) {
  SHARED_ARRAY(float, tile, kThreads);
  const int t = threadIdx.x;
  if (t < count) tile[t] = x[t];
  if (repaired && t >= count) tile[t] = 0;
  __syncthreads();
  y[t] = tile[kThreads - 1 - t];  // BUG uninitialised_shared
}
void uninitialised_shared(bool repaired) {
  const DeviceArray<float> x(ones()), y(kThreads);
  run("uninitialised_shared", 1,
      [=, x = x.data(), y = y.data()] { uninitialised_shared_kernel(x, y, 40, repaired); });
}

__global__ void accumulate_kernel(float* y) {
  y[threadIdx.x] += 1;  // BUG uninitialised_device
}
void uninitialised_device(bool repaired) {
  const DeviceArray<float> y(kThreads);
  if (repaired) cudaMemset(y.data(), 0, kThreads * sizeof(float));
  run("uninitialised_device", 1, [y = y.data()] { accumulate_kernel(y); });
}

__global__ void block_race_kernel(float* y, bool repaired) {
  const int at = repaired ? blockIdx.x : 0;
  if (threadIdx.x == 0) y[at] = 1;  // BUG block_race
}
void block_race(bool repaired) {
  const DeviceArray<float> y(4);
  run("block_race", 4, [=, y = y.data()] { block_race_kernel(y, repaired); });
}

// Reads what another block counts: an atomic orders nothing.
__global__ void plain_and_atomic_kernel(int* y, bool repaired) {
  if (blockIdx.x == 0)
    atomicAdd(&y[0], 1);
  else if (repaired)
    atomicAdd(&y[1], atomicAdd(&y[0], 0));
  else
    atomicAdd(&y[1], y[0]);  // BUG atomic_and_plain
}
void atomic_and_plain(bool repaired) {
  const DeviceArray<int> y(std::vector<int>(2));
  run("atomic_and_plain", 2, [=, y = y.data()] { plain_and_atomic_kernel(y, repaired); });
}

__global__ void misaligned_kernel(const float* x, float4* y, int first) {
  const float* row = x + first;
  y[threadIdx.x] = reinterpret_cast<const float4*>(row)[threadIdx.x];  // BUG misaligned_vector
}
void misaligned_vector(bool repaired) {
  const DeviceArray<float> x(ones(4 * kThreads + 4));
  const DeviceArray<float4> y(kThreads);
  run("misaligned_vector", 1,
      [=, x = x.data(), y = y.data()] { misaligned_kernel(x, y, repaired ? 4 : 1); });
}

__global__ void double_kernel(const float* x, float* y) {
  y[threadIdx.x] = 2 * x[threadIdx.x];  // BUG use_after_free BUG host_pointer
}
void use_after_free(bool repaired) {
  float* x = nullptr;
  cudaMalloc(reinterpret_cast<void**>(&x), kThreads * sizeof(float));
  cudaMemset(x, 0, kThreads * sizeof(float));
  const DeviceArray<float> y(kThreads);
  if (!repaired) cudaFree(x);
  run("use_after_free", 1, [=, y = y.data()] { double_kernel(x, y); });
  if (repaired) cudaFree(x);
}
void host_pointer(bool repaired) {
  const std::vector<float> host = ones();
  const DeviceArray<float> x(host), y(kThreads);
  const float* from = repaired ? x.data() : host.data();
  run("host_pointer", 1, [=, y = y.data()] { double_kernel(from, y); });
}

__global__ void halving_kernel(int* y, bool repaired) {
  int left = 1000;
  while (left > 0) left -= repaired ? 1 : left / 2;  // BUG endless_loop
  y[threadIdx.x] = left;
}
void endless_loop(bool repaired) {
  set_step_budget(1'000'000);
  const DeviceArray<int> y(kThreads);
  run("endless_loop", 1, [=, y = y.data()] { halving_kernel(y, repaired); });
}

__global__ void large_shared_kernel(float* y, bool repaired) {
  SHARED_ARRAY(float, first, 8192);
  first[threadIdx.x] = 1;
  if (!repaired) {
    SHARED_ARRAY(float, second, 8192);  // BUG shared_limit
    second[threadIdx.x] = 1;
  }
  y[threadIdx.x] = first[threadIdx.x];
}
void shared_limit(bool repaired) {
  const DeviceArray<float> y(kThreads);
  run("shared_limit", 1, [=, y = y.data()] { large_shared_kernel(y, repaired); });
}

__global__ void fill_kernel(float* y, float value) { y[threadIdx.x] = value; }
void missing_stream_wait(bool repaired) {
  cudaStream_t one = nullptr, two = nullptr;
  cudaStreamCreateWithFlags(&one, cudaStreamNonBlocking);
  cudaStreamCreateWithFlags(&two, cudaStreamNonBlocking);
  cudaEvent_t done = nullptr;
  cudaEventCreateWithFlags(&done, cudaEventDisableTiming);
  const DeviceArray<float> y(kThreads);
  launch(one, "fill", dim3(1), dim3(kThreads), 0, [y = y.data()] { fill_kernel(y, 1); });
  cudaEventRecord(done, one);
  if (repaired) cudaStreamWaitEvent(two, done, 0);
  auto body = [y = y.data()] { accumulate_kernel(y); };
  launch(two, "accumulate", dim3(1), dim3(kThreads), 0, body);  // BUG missing_stream_wait
  cudaDeviceSynchronize();
  cudaStreamDestroy(one);
  cudaStreamDestroy(two);
  cudaEventDestroy(done);
}

}  // namespace

const std::vector<SeededBug>& seeded_bugs() {
  static const std::vector<SeededBug> bugs = {
      {"missing_barrier", missing_barrier, nullptr, ": race:"},
      {"missing_syncwarp", missing_syncwarp, nullptr, ": race:"},
      {"divergent_barrier", divergent_barrier, ": barrier-divergence:", ": barrier-divergence:"},
      {"early_return", early_return, ": exited-threads:", ": exited-threads:"},
      {"shuffle_mask", shuffle_mask, ": warp-divergence:", ": warp-divergence:"},
      {"mask_without_caller", mask_without_caller, ": warp-mask:", ": warp-mask:"},
      {"inactive_lane", inactive_lane, ": inactive-lane:", ": inactive-lane:"},
      {"read_past_end", read_past_end, "AddressSanitizer", ": out-of-bounds:"},
      {"write_past_end", write_past_end, "AddressSanitizer", ": out-of-bounds:"},
      {"shared_past_end", shared_past_end, "AddressSanitizer", ": out-of-bounds:"},
      {"uninitialised_shared", uninitialised_shared, nullptr, ": uninitialised-read:"},
      {"uninitialised_device", uninitialised_device, nullptr, ": uninitialised-read:"},
      {"block_race", block_race, nullptr, ": race:"},
      {"atomic_and_plain", atomic_and_plain, nullptr, ": race:"},
      {"misaligned_vector", misaligned_vector, "misaligned address", ": misaligned:"},
      {"use_after_free", use_after_free, "AddressSanitizer", ": use-after-free:"},
      {"host_pointer", host_pointer, nullptr, ": host-pointer:"},
      {"endless_loop", endless_loop, ": step-limit:", ": step-limit:"},
      {"shared_limit", shared_limit, ": launch-limit:", ": launch-limit:"},
      {"missing_stream_wait", missing_stream_wait, nullptr, ": stream-race:"},
  };
  return bugs;
}

}  // namespace ditto::emulation::self_test
