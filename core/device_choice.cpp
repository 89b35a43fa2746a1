#include "core/device_choice.h"

#include <charconv>

#include "core/context.h"
#include "core/on_device.h"

#ifdef DITTO_HAS_CUDA
#include <fmt/format.h>

#include "core/cuda_context.h"
#endif

namespace ditto {
namespace {

#ifdef DITTO_CUDA_EMULATED
constexpr bool kEmulated = true;
#else
constexpr bool kEmulated = false;
#endif

// The index in "cuda" or "cuda:1"; -1 for anything else.
int cuda_index(const std::string& text) {
  if (text == "cuda") return 0;
  if (text.rfind("cuda:", 0) != 0) return -1;
  int index = -1;
  const char *begin = text.data() + 5, *end = text.data() + text.size();
  const auto result = std::from_chars(begin, end, index);
  return result.ec == std::errc() && result.ptr == end && begin != end && *begin != '-' ? index
                                                                                        : -1;
}

}  // namespace

int cuda_device_count([[maybe_unused]] std::string* answer) {
#ifdef DITTO_HAS_CUDA
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) {  // the count was never written
    cudaGetLastError();
    if (answer) *answer = cuda_error_text(status);
    return 0;
  }
  if (answer) *answer = std::to_string(count) + (count == 1 ? " device" : " devices");
  return count;
#else
  if (answer) *answer = "nothing: this build has no CUDA support";
  return 0;
#endif
}

DeviceChoice choose_device(const std::string& text) {
  if (text == "cpu") return {};
  if (text == "auto" && (!kHasCuda || kEmulated)) return {};
  const int index = text == "auto" ? 0 : cuda_index(text);
  check(index >= 0, "[device] needs auto, cpu, cuda or cuda:1, got", printable(text));
  check(kHasCuda, "[device] this build has no CUDA support (configure with DITTO_CUDA=on):", text);
  std::string answer;
  const int count = cuda_device_count(&answer);
  const Device device{DeviceType::Cuda, index};
  if (index < count) return {device, kEmulated ? "emulated CUDA device: for tests, slow" : ""};
  const std::string sought =
      "looked for " + to_string(device) + ", the CUDA driver answered: " + answer;
  check(text == "auto", "[device]", sought);
  return {kCpu, sought + "; running on the CPU"};
}

int64_t free_device_memory([[maybe_unused]] Device device) {
#ifdef DITTO_HAS_CUDA
  if (device.is_cuda()) {
    cuda_context(device.index);  // makes the device current
    size_t free = 0, total = 0;
    cuda_check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    return static_cast<int64_t>(free);
  }
#endif
  return 0;
}

std::string device_description([[maybe_unused]] Device device) {
#ifdef DITTO_HAS_CUDA
  if (device.is_cuda()) {
    cudaDeviceProp properties{};
    cuda_check(cudaGetDeviceProperties(&properties, device.index), "cudaGetDeviceProperties");
    return fmt::format("{}{} (compute capability {}.{}, {:.1f} GiB)", kEmulated ? "emulated " : "",
                       properties.name, properties.major, properties.minor,
                       static_cast<double>(properties.totalGlobalMem) / (1 << 30));
  }
#endif
  return "";
}

}  // namespace ditto
