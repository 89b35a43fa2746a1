// Which device a program runs on: what `--device` says, and what the driver answers.
#pragma once

#include <cstdint>
#include <string>

#include "core/device.h"

namespace ditto {

// CUDA devices that the driver offers. 0 in builds without CUDA and where the driver reports an
// error; `answer` then says why ("cudaErrorInsufficientDriver (35): ...").
int cuda_device_count(std::string* answer = nullptr);

struct DeviceChoice {
  Device device;
  std::string note;  // a line for the user, or empty
};

// "cpu", "cuda" (the first one), "cuda:1", or "auto": cuda:0 where there is one and it is no
// emulation, else the CPU with a note that says which device was looked for and what the driver
// answered. Throws "[device] ..." for other texts and for a CUDA device that is not there.
DeviceChoice choose_device(const std::string& text);

// Bytes of a CUDA device that the driver reports free; 0 for the CPU.
int64_t free_device_memory(Device device);

// What a CUDA build runs on, e.g. "NVIDIA H100 (compute capability 9.0, 80 GiB)"; "" for the CPU.
std::string device_description(Device device);

}  // namespace ditto
