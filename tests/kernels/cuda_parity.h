// expect_same_on_cuda: runs a kernel on the CPU and on the CUDA device (a GPU or the emulated one)
// and compares what they write.
#pragma once

#ifdef DITTO_HAS_CUDA

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "core/cuda_context.h"
#include "core/on_device.h"
#include "core/rng.h"
#include "core/view.h"
#include "tests/support/catch.h"
#ifdef DITTO_CUDA_EMULATED
#include "tests/cuda_emulation/simt.h"
#endif

namespace ditto::testing {

// A contiguous operand on the host; default constructed it is one that is absent.
struct Array {
  Shape shape;
  Dtype dtype = Dtype::F32;
  std::vector<char> bytes;

  Array() = default;
  Array(const Shape& shape, Dtype dtype)
      : shape(shape), dtype(dtype), bytes(static_cast<size_t>(shape.numel() * size_of(dtype))) {}
  template <class T>
  T* data() {
    return reinterpret_cast<T*>(bytes.data());
  }
  template <class T>
  const T* data() const {
    return reinterpret_cast<const T*>(bytes.data());
  }
  // Elements of floats, widened or rounded.
  double at(int64_t i) const {
    if (dtype == Dtype::F64) return data<double>()[i];
    if (dtype == Dtype::BF16) return static_cast<double>(static_cast<float>(data<BFloat16>()[i]));
    return static_cast<double>(data<float>()[i]);
  }
  void set(int64_t i, double value) {
    if (dtype == Dtype::F64)
      data<double>()[i] = value;
    else if (dtype == Dtype::BF16)
      data<BFloat16>()[i] = BFloat16(static_cast<float>(value));
    else
      data<float>()[i] = static_cast<float>(value);
  }
};

// Normal numbers, scaled.
inline Array random_array(const Shape& shape, Dtype dtype, uint64_t seed, double scale = 1,
                          double shift = 0) {
  Array array(shape, dtype);
  Rng rng(seed);
  for (int64_t i = 0; i < shape.numel(); ++i) array.set(i, shift + scale * rng.normal());
  return array;
}
// Whole numbers in [0, n).
inline Array random_indices(const Shape& shape, Dtype dtype, uint64_t seed, int64_t n) {
  Array array(shape, dtype);
  Rng rng(seed);
  for (int64_t i = 0; i < shape.numel(); ++i) {
    const uint64_t value = rng.below(static_cast<uint64_t>(n));
    if (dtype == Dtype::I64)
      array.data<int64_t>()[i] = static_cast<int64_t>(value);
    else if (dtype == Dtype::I32)
      array.data<int32_t>()[i] = static_cast<int32_t>(value);
    else
      array.data<uint8_t>()[i] = static_cast<uint8_t>(value);
  }
  return array;
}

// A copy of an array in device memory, `shift` elements behind a 256-byte boundary.
class OnDevice {
 public:
  OnDevice(CudaContext& ctx, const Array& array, int64_t shift) : ctx_(ctx), array_(array) {
    const size_t skip = static_cast<size_t>(shift * size_of(array.dtype));
    cuda_check(cudaMalloc(&memory_, skip + array.bytes.size() + 1), "cudaMalloc");
    data_ = static_cast<char*>(memory_) + skip;
    if (!array.bytes.empty())
      cuda_check(cudaMemcpyAsync(data_, array.bytes.data(), array.bytes.size(),
                                 cudaMemcpyHostToDevice, ctx.stream()),
                 "cudaMemcpyAsync");
    ctx.synchronize();
  }
  ~OnDevice() { cudaFree(memory_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  View view() const {
    if (array_.shape.empty()) return {};
    return {data_, array_.dtype, ctx_.device(), array_.shape, contiguous_strides(array_.shape)};
  }
  Array read() const {
    Array out = array_;
    if (!out.bytes.empty())
      cuda_check(cudaMemcpyAsync(out.bytes.data(), data_, out.bytes.size(), cudaMemcpyDeviceToHost,
                                 ctx_.stream()),
                 "cudaMemcpyAsync");
    ctx_.synchronize();
    return out;
  }

 private:
  CudaContext& ctx_;
  Array array_;
  void* memory_ = nullptr;
  char* data_ = nullptr;
};

inline View host_view(Array& array) {
  if (array.shape.empty()) return {};
  static char nothing = 0;  // an empty operand is not an absent one
  return {array.bytes.empty() ? &nothing : array.bytes.data(), array.dtype, kCpu, array.shape,
          contiguous_strides(array.shape)};
}

// What is kept beside arrays of `dtype`: statistics and parameters of bf16 stay f32.
inline Dtype kept_dtype(Dtype dtype) { return dtype == Dtype::BF16 ? Dtype::F32 : dtype; }

// The first difference beyond tolerance * (1 + |expected|), or "". NaN equals NaN. bf16 may also go
// to a neighbour: both sides round, and a small difference may cross the middle.
inline std::string difference(const Array& expected, const Array& got, double tolerance) {
  if (!is_floating(expected.dtype))
    return expected.bytes == got.bytes ? "" : "integers differ in " + to_string(expected.shape);
  for (int64_t i = 0; i < expected.shape.numel(); ++i) {
    const double a = expected.at(i), b = got.at(i);
    if (std::isnan(a) ? std::isnan(b) : a == b) continue;
    const double neighbour = expected.dtype == Dtype::BF16 ? std::fabs(a) / 128 : 0;
    if (!(std::fabs(a - b) <= tolerance * (1 + std::fabs(a)) + neighbour))
      return "element " + std::to_string(i) + " of " + to_string(expected.shape) + " is " +
             error_text(b) + ", not " + error_text(a);
  }
  return "";
}

inline bool cuda_device_present() {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess && count > 0) return true;
  cudaGetLastError();
  return false;
}

using Views = std::vector<View>;

// call(ctx, inputs, outputs) runs the kernel; `outputs` are copied in first, for kernels that
// update. On the device it runs with aligned and with misaligned operands, and emulated with
// several orders of threads. The results of all runs on the device must be the same bytes for equal
// alignment (unless a library chooses the algorithm), and agree with the CPU's within the
// tolerance.
template <class Call>
void expect_same_on_cuda(const std::vector<Array>& inputs, const std::vector<Array>& outputs,
                         double tolerance, Call&& call, bool same_bytes = true) {
  const auto host_views = [](std::vector<Array>& arrays) {
    Views views;
    for (Array& array : arrays) views.push_back(host_view(array));
    return views;
  };
  std::vector<Array> in = inputs, expected = outputs;
  CpuContext cpu{.threads = 1};
  call(cpu, host_views(in), host_views(expected));

  CudaContext& ctx = cuda_context(0);
  for (const int64_t shift : {0, 1}) {
    std::vector<Array> first;
#ifdef DITTO_CUDA_EMULATED
    const uint64_t before = emulation::schedule_seed();
    for (uint64_t seed = before; seed < before + (shift == 0 ? 3 : 1); ++seed) {
      emulation::set_schedule_seed(seed);
#else
    for (int seed = 0; seed < 2; ++seed) {
#endif
      std::vector<std::unique_ptr<OnDevice>> memory;
      Views in_views, out_views;
      for (const Array& array : inputs) {
        memory.push_back(std::make_unique<OnDevice>(ctx, array, shift));
        in_views.push_back(memory.back()->view());
      }
      for (const Array& array : outputs) {
        memory.push_back(std::make_unique<OnDevice>(ctx, array, shift));
        out_views.push_back(memory.back()->view());
      }
      call(ctx, in_views, out_views);
      for (size_t i = 0; i < outputs.size(); ++i) {
        if (outputs[i].shape.empty()) continue;
        const Array got = memory[inputs.size() + i]->read();
        INFO("output " << i << ", shift " << shift << ", seed " << seed);
        CHECK(difference(expected[i], got, tolerance) == "");
        first.resize(outputs.size());
        if (first[i].bytes.empty()) first[i] = got;
        if (same_bytes) CHECK(first[i].bytes == got.bytes);
      }
    }
#ifdef DITTO_CUDA_EMULATED
    emulation::set_schedule_seed(before);
#endif
  }
}

inline double tolerance_of(Dtype dtype, double f32 = 2e-6, double f64 = 1e-13) {
  return dtype == Dtype::F64 ? f64 : f32;
}

}  // namespace ditto::testing

#endif  // DITTO_HAS_CUDA
