// Small owners and checks for the tests of the doubles.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/cuda_emulation/cudart.h"
#include "tests/cuda_emulation/report.h"
#include "tests/support/catch.h"

namespace ditto::emulation {

inline void ok(cudaError_t error) {
  INFO(cudaGetErrorName(error) << ": " << cudaGetErrorString(error));
  CHECK(error == cudaSuccess);
}

// Ends with everything done and nothing reported.
struct Clean {
  ~Clean() {
    clear_failures();
    cudaDeviceSynchronize();
    set_seed(0);
    CHECK(take_reports().empty());
    CHECK(cudaGetLastError() == cudaSuccess);
  }
};

// The findings since the last call; all must be of one kind.
inline std::vector<Report> of_kind(const std::string& kind) {
  std::vector<Report> found;
  for (Report& report : take_reports()) {
    INFO(report.kind << ": " << report.text);
    CHECK(report.kind == kind);
    if (report.kind == kind) found.push_back(std::move(report));
  }
  return found;
}

template <class T>
struct DeviceArray {
  explicit DeviceArray(size_t count) : count(count) {
    ok(cudaMalloc(reinterpret_cast<void**>(&data), count * sizeof(T)));
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
    ok(cudaMemcpy(data, values.data(), count * sizeof(T), cudaMemcpyHostToDevice));
  }
  ~DeviceArray() { ok(cudaFree(data)); }
  std::vector<T> host() const {
    std::vector<T> values(count);
    ok(cudaMemcpy(values.data(), data, count * sizeof(T), cudaMemcpyDeviceToHost));
    return values;
  }
  T* data = nullptr;
  size_t count;
};

struct TestStream {
  explicit TestStream(unsigned flags = cudaStreamNonBlocking) {
    ok(cudaStreamCreateWithFlags(&handle, flags));
  }
  ~TestStream() { ok(cudaStreamDestroy(handle)); }
  operator cudaStream_t() const { return handle; }
  cudaStream_t handle = nullptr;
};
struct TestEvent {
  explicit TestEvent(unsigned flags = cudaEventDisableTiming) {
    ok(cudaEventCreateWithFlags(&handle, flags));
  }
  ~TestEvent() { ok(cudaEventDestroy(handle)); }
  operator cudaEvent_t() const { return handle; }
  cudaEvent_t handle = nullptr;
};

// A kernel of one thread that runs `body`.
inline void run(cudaStream_t stream, const char* name, std::function<void()> body) {
  launch(stream, name, dim3(1), dim3(1), 0, std::move(body));
  ok(cudaGetLastError());
}

}  // namespace ditto::emulation
