// Random fills. Element i uses word i % 4 of Philox block i / 4 of the stream, so the values are
// the same for any number of threads and on both devices.
#pragma once

#include "core/context.h"
#include "core/rng.h"
#include "core/view.h"

namespace ditto::kernels {

// Names a stream of numbers: key = seed, counter = {block, sample, epoch << 8 | replica, purpose}
// (core/rng.h).
struct RandomStream {
  uint64_t seed = 0;
  Purpose purpose = Purpose::User;
  uint32_t sample = 0;
  uint32_t epoch = 0;
  // On the device: where the number is that takes the place of `sample`, for work that a graph
  // replays (core/graph_capture.h).
  const int64_t* sample_at = nullptr;
};

// Uniform in [low, high).
void fill_uniform(CpuContext& ctx, const RandomStream& stream, double low, double high,
                  const View& y);
void fill_uniform(CudaContext& ctx, const RandomStream& stream, double low, double high,
                  const View& y);
// Normal (Box-Muller on pairs of words).
void fill_normal(CpuContext& ctx, const RandomStream& stream, double mean, double stddev,
                 const View& y);
void fill_normal(CudaContext& ctx, const RandomStream& stream, double mean, double stddev,
                 const View& y);
// mask = 0 with probability p, else 1 / (1 - p).
void fill_dropout_mask(CpuContext& ctx, const RandomStream& stream, double p, const View& mask);
void fill_dropout_mask(CudaContext& ctx, const RandomStream& stream, double p, const View& mask);

}  // namespace ditto::kernels
