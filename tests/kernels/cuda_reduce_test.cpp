#include "core/on_device.h"
#include "kernels/reduce.h"

#include "tests/kernels/cuda_parity.h"

#ifdef DITTO_HAS_CUDA

using namespace ditto;
using namespace ditto::kernels;
using namespace ditto::testing;

namespace {

const ReduceSizes kSizes[] = {
    {1, 0, 1},    {1, 1, 1},    {1, 31, 1},    {1, 1025, 1}, {1, 40000, 1}, {3, 33, 1},
    {5, 257, 1},  {4, 5000, 1}, {5000, 3, 1},  {33, 0, 2},   {1, 255, 3},   {2, 1023, 32},
    {3, 64, 100}, {1, 9000, 8}, {2500, 7, 2},  {7, 32, 1},   {1, 2, 1025},  {0, 4, 4},
    {2, 8, 0},    {1, 37, 264}, {1, 3000, 16},
};

Shape full(const ReduceSizes& s) { return {s.outer, s.reduce, s.inner}; }
Shape reduced(const ReduceSizes& s) { return {s.outer, s.inner}; }

}  // namespace

TEST_CASE("reduce_sum: CUDA as CPU", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  for (const Dtype dtype : {Dtype::F32, Dtype::F64, Dtype::BF16})
    for (const ReduceSizes& sizes : kSizes) {
      INFO(to_string(dtype) << " " << to_string(full(sizes)));
      const double depth = std::sqrt(static_cast<double>(sizes.reduce) + 1);
      expect_same_on_cuda({random_array(full(sizes), dtype, 1)}, {Array(reduced(sizes), dtype)},
                          tolerance_of(dtype, 3e-7 * depth),
                          [&](auto& ctx, const Views& in, const Views& out) {
                            reduce_sum(ctx, in[0], out[0], sizes, 0.5);
                          });
    }
}

TEST_CASE("reduce_max: CUDA as CPU, ties, NaN and infinities included", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  for (const Dtype dtype : {Dtype::F32, Dtype::F64, Dtype::BF16})
    for (const ReduceSizes& sizes : kSizes) {
      if (sizes.reduce == 0) continue;
      INFO(to_string(dtype) << " " << to_string(full(sizes)));
      Array x = random_array(full(sizes), dtype, 2);
      Rng rng(3);
      for (int64_t i = 0; i < x.shape.numel(); ++i) {
        const double special[] = {NAN, INFINITY, -INFINITY, 2.5};
        if (!rng.chance(i % 3 == 0 ? 0.03 : 0.3)) continue;
        const double value = i % 3 == 0 ? special[rng.below(4)] : 1.5;
        x.set(i, value);
      }
      expect_same_on_cuda({x}, {Array(reduced(sizes), dtype), Array(reduced(sizes), Dtype::I64)}, 0,
                          [&](auto& ctx, const Views& in, const Views& out) {
                            reduce_max(ctx, in[0], out[0], out[1], sizes);
                          });
      expect_same_on_cuda({random_array(reduced(sizes), dtype, 4),
                           random_indices(reduced(sizes), Dtype::I64, 5, sizes.reduce)},
                          {random_array(full(sizes), dtype, 6)}, 0,
                          [&](auto& ctx, const Views& in, const Views& out) {
                            reduce_max_backward(ctx, in[0], in[1], out[0], sizes);
                          });
    }
  const View none;
  REQUIRE_THROWS_WITH(reduce_max(cuda_context(0), none, none, none, {1, 0, 1}),
                      contains("maximum of nothing"));
}

#endif  // DITTO_HAS_CUDA
