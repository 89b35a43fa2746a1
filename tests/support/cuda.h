// For tests that need a CUDA device: a GPU, or the emulated one.
#pragma once

#include "core/device_choice.h"
#include "tests/support/catch.h"

namespace ditto::testing {

inline constexpr Device kCuda{DeviceType::Cuda, 0};

}  // namespace ditto::testing

// Leaves the test case with a visible skip where no device answers.
#define DITTO_NEEDS_CUDA()                                                \
  do {                                                                    \
    std::string driver_answer;                                            \
    if (::ditto::cuda_device_count(&driver_answer) == 0)                  \
      DITTO_SKIP("no CUDA device, the driver answers: " + driver_answer); \
  } while (false)
