// The options that say where and how a program computes: --device, --tf32, --deterministic, and for
// trainings --cuda-graph and --data-on-device.
#pragma once

#include <string>

#include "apps/common/config.h"
#include "core/device_choice.h"

namespace ditto::apps {

struct DeviceOptions {
  std::string device = "auto";  // cpu, cuda, cuda:1; auto: a GPU where there is one
  bool tf32 = false;
  bool deterministic = false;
  bool cuda_graph = false;      // trainings: forward, loss and backward as a CUDA graph
  bool data_on_device = false;  // trainings: the training set lives and is augmented there
};
void declare(Config& config, DeviceOptions& options);

// Sets the process-wide switches and finds the device (core/device_choice.h).
DeviceChoice use(const DeviceOptions& options);
// "cpu", or "cuda:0, NVIDIA H100 (compute capability 9.0, 80.0 GiB)".
std::string device_text(Device device);

}  // namespace ditto::apps
