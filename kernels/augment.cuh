// What the kernels of augmentation share on the device: erased areas.
#pragma once

#include "kernels/augment_math.h"

namespace ditto::kernels {

// Whether pixel (x, y) lies in one of areas [begin, end).
inline __device__ bool is_erased(const ErasedArea* areas, int begin, int end, int64_t x,
                                 int64_t y) {
#pragma unroll 1  // unrolled, the barrier registers of the branches spill
  for (int e = begin; e < end; ++e)
    if (areas[e].columns.has(x) && areas[e].lines.has(y) && areas[e].covers(x, y)) return true;
  return false;
}

}  // namespace ditto::kernels
