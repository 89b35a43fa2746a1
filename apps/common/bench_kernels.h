// What memory-bound kernels achieve, for `bench --what kernels`.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace ditto::apps {

// A kernel to time: `run` reads and writes at least `bytes` (each input and each output once).
struct KernelBench {
  std::string name;
  int64_t bytes = 0;
  std::function<void()> run;
};

// The streaming kernels of a training step on the device, on tensors of a ResNet-20's first stage
// for `batch` images, in f32 and, those that mixed precision runs so, in bf16 ("..._bf16").
std::vector<KernelBench> streaming_kernels(Device device, int64_t batch);

}  // namespace ditto::apps
