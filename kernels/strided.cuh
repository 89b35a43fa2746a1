// Strided walks on the device: where N operands have the element that stands at place i of the
// output's row-major order.
#pragma once

#include "kernels/launch.cuh"
#include "kernels/strided.h"

namespace ditto::kernels {

template <size_t N>
struct Walk {
  int rank;
  int64_t size[Shape::kMaxRank];
  int64_t stride[N][Shape::kMaxRank];  // in elements
};

template <size_t N>
Walk<N> make_walk(const StridedLoop<N>& loop) {
  Walk<N> walk{};
  walk.rank = loop.shape.rank();
  for (int d = 0; d < walk.rank; ++d) {
    walk.size[d] = loop.shape[d];
    for (size_t k = 0; k < N; ++k) walk.stride[k][d] = loop.strides[k][d];
  }
  return walk;
}

// Offsets of element i, by 32-bit divisions: 64-bit ones are several times slower.
template <size_t N>
__device__ void locate(const Walk<N>& walk, uint32_t i, int64_t (&offset)[N]) {
#pragma unroll
  for (size_t k = 0; k < N; ++k) offset[k] = 0;
  for (int d = walk.rank - 1; d > 0; --d) {
    const uint32_t size = static_cast<uint32_t>(walk.size[d]), next = i / size;
    const int64_t place = i - next * size;
#pragma unroll
    for (size_t k = 0; k < N; ++k) offset[k] += place * walk.stride[k][d];
    i = next;
  }
#pragma unroll
  for (size_t k = 0; k < N; ++k) offset[k] += i * walk.stride[k][0];
}

// Calls f(part, elements, first, offsets) for parts of fewer than 2^31 elements, so that `locate`
// may count in 32 bits: the part starts at element `first` of the output, where operand k has its
// element at offsets[k].
template <size_t N, class F>
void in_parts(Walk<N> walk, int64_t n, F&& f, int64_t first = 0,
              std::array<int64_t, N> offset = {}) {
  if (n <= INT32_MAX) {
    f(walk, n, first, offset);
    return;
  }
  int d = 0;  // two halves along the first dimension that has two
  while (walk.size[d] == 1) ++d;
  const int64_t half = walk.size[d] / 2, skip = n / walk.size[d] * half;
  Walk<N> second = walk;
  walk.size[d] = half;
  second.size[d] -= half;
  in_parts(walk, skip, f, first, offset);
  for (size_t k = 0; k < N; ++k) offset[k] += half * walk.stride[k][d];
  in_parts(second, n - skip, f, first + skip, offset);
}

}  // namespace ditto::kernels
