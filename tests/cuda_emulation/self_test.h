// The emulation's own tests: kernels with one seeded mistake each, and kernels that show what
// barriers, warp functions, atomics and counters do. The kernels are compiled like those of
// kernels/; self_test.cpp runs them.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ditto::emulation::self_test {

// Runs the kernel with its mistake, or repaired. The line of the mistake carries the comment
// "BUG name" in self_test_bugs.cu.
struct SeededBug {
  const char* name;
  void (*run)(bool repaired);
  // What a report must say in each tier; null: this tier does not claim to see it.
  const char* under_asan;
  const char* under_checker;
};
const std::vector<SeededBug>& seeded_bugs();

template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(size_t count) : count_(count) {
    cudaMalloc(reinterpret_cast<void**>(&data_), count * sizeof(T));
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
    cudaMemcpy(data_, values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice);
  }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() const { return data_; }
  std::vector<T> host() const {
    std::vector<T> values(count_);
    cudaMemcpy(values.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost);
    return values;
  }

 private:
  T* data_ = nullptr;
  size_t count_;
};

// What each lane of one warp computes; `values` are the arguments of the lanes.
enum class WarpFunction {
  kShuffle,      // from lane 3 of every segment of 8
  kShuffleUp,    // by 2 in segments of 16
  kShuffleDown,  // by 2 in segments of 16
  kShuffleXor,   // 5
  kBallot,       // value > 0
  kAny,          // value > 30
  kAll,          // value > 30
  kMatchAny,
  kMatchAll,
  kReduceAdd,
  kReduceMin,
  kReduceMax,
  kReduceXor,
};
std::vector<int> warp_function(WarpFunction function, const std::vector<int>& values);
double shuffled_double_sum(const std::vector<double>& values);  // 32 of them

struct BarrierVotes {
  int count, all, any;  // of __syncthreads_count, _and, _or
};
// `threads` threads vote, thread i with yes where i < yes.
BarrierVotes barrier_votes(unsigned threads, int yes);

// Linear index that each thread of a launch computes from its built-in variables.
std::vector<int> thread_numbers(dim3 grid, dim3 block);

// Thread numbers of four blocks of 64 threads in the order in which they took a ticket.
std::vector<int> ticket_order();

struct AtomicResults {
  int add, minimum, maximum, bits, exchanged, increments;
  float float_add;
};
AtomicResults atomics(unsigned threads);

// For the counters.
void copy_strided(const float* x, float* y, int count, int stride);  // y[i] = x[i * stride]
void copy_vectors(const float* x, float* y, int count);              // 16 bytes per thread
void copy_broadcast(const float* x, float* y, int count);            // y[i] = x[0]
void sum_passes(const float* x, float* y, int count, int passes);    // one warp
void transpose_tile(const float* x, float* y, bool padded);  // 32 x 32, through shared memory

}  // namespace ditto::emulation::self_test
