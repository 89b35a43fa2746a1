// Splitting of launches that have too many elements for 32-bit places; no device is needed.
#include "tests/support/catch.h"

#ifdef DITTO_CUDA_EMULATED

#include "tests/cuda_emulation/device.h"

#include "kernels/strided.cuh"

namespace ditto::kernels {

TEST_CASE("strided walks: parts cover every element once, at the right offsets") {
  const int64_t big = int64_t{3} << 31;
  for (const Shape& shape : {Shape{big + 5}, Shape{3, big}, Shape{1 << 20, 7, 1 << 13}}) {
    INFO(to_string(shape));
    Walk<2> walk{};
    walk.rank = shape.rank();
    const Shape steps = contiguous_strides(shape);
    for (int d = 0; d < shape.rank(); ++d) {
      walk.size[d] = shape[d];
      walk.stride[0][d] = steps[d];
      walk.stride[1][d] = -2 * steps[d];
    }
    int64_t next = 0;
    in_parts(walk, shape.numel(), [&](const auto& part, int64_t n, int64_t first, const auto& at) {
      CHECK(n <= INT32_MAX);
      CHECK(n > 0);
      CHECK(first == next);
      CHECK(at[0] == first);
      CHECK(at[1] == -2 * first);
      next += n;
      int64_t last[2];  // the last element of the part is where the whole walk has it
      locate(part, static_cast<uint32_t>(n - 1), last);
      CHECK(at[0] + last[0] == first + n - 1);
      CHECK(at[1] + last[1] == -2 * (first + n - 1));
    });
    CHECK(next == shape.numel());
  }
}

}  // namespace ditto::kernels

#endif
