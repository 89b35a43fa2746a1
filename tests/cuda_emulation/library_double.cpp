#include "tests/cuda_emulation/library_double.h"

#include <bit>
#include <cmath>
#include <mutex>
#include <string>

#include "tests/cuda_emulation/cudart.h"
#include "tests/cuda_emulation/cudart_runtime.h"

namespace ditto::emulation {

bool library_failure(const char* function) {
  Runtime& rt = runtime();
  std::lock_guard lock(rt.mutex);
  return injected_failure(function);
}

void check_stream(const char* function, int handle_device, cudaStream_t stream,
                  const CallStack& stack) {
  const int device = stream_device(stream);
  if (device != handle_device)
    report_call("wrong-device", function, stack,
                "the handle belongs to device " + std::to_string(handle_device) +
                    (device < 0 ? ", and its stream does not exist"
                                : ", its stream to device " + std::to_string(device)));
  if (current_device() != handle_device)
    report_call("wrong-device", function, stack,
                "the handle belongs to device " + std::to_string(handle_device) +
                    ", but the current device is " + std::to_string(current_device()));
}

float to_tf32(float value) {
  if (!std::isfinite(value)) return value;
  uint32_t bits = std::bit_cast<uint32_t>(value);
  bits += 0xfff + ((bits >> 13) & 1);
  return std::bit_cast<float>(bits & ~uint32_t{0x1fff});
}

uint16_t to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float from_bf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

}  // namespace ditto::emulation
