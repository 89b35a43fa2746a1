// A data set that small networks learn in a few steps.
#pragma once

#include "core/rng.h"
#include "data/dataset.h"

namespace ditto::testing {

// n grey images of 8 x 8 pixels in two classes that a linear map separates: bright upper or bright
// lower half, with noise.
inline data::ImageDataset stripes(int64_t n, uint64_t seed) {
  Tensor images = Tensor::empty({n, 8, 8, 1}, Dtype::U8), labels = Tensor::empty({n}, Dtype::I64);
  Rng rng(seed);
  for (int64_t i = 0; i < n; ++i) {
    labels.data<int64_t>()[i] = i % 2;
    for (int64_t p = 0; p < 64; ++p)
      images.data<uint8_t>()[i * 64 + p] =
          static_cast<uint8_t>(((p < 32) == (i % 2 == 0) ? 160 : 60) + rng.below(60));
  }
  return data::ImageDataset("stripes", images, labels, {"upper", "lower"}, {{0.5f}, {0.25f}});
}

}  // namespace ditto::testing
