#include "kernels/pool2d.h"

#include "tests/kernels/cuda_parity.h"

#ifdef DITTO_HAS_CUDA

using namespace ditto;
using namespace ditto::kernels;
using namespace ditto::testing;

TEST_CASE("pool2d: CUDA as CPU", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  const Shape shapes[] = {{0, 4, 4, 3}, {2, 5, 7, 1}, {1, 6, 6, 4}, {3, 9, 4, 33}, {2, 8, 8, 64}};
  const Pool2dParams params[] = {
      {2, 0, 0, true}, {3, 2, 1, true}, {3, 1, 1, false}, {1, 2, 0, true}};
  for (const Dtype dtype : {Dtype::F32, Dtype::F64, Dtype::BF16})
    for (const Shape& shape : shapes)
      for (const Pool2dParams& p : params) {
        INFO(to_string(dtype) << " " << to_string(shape) << " kernel " << p.kernel);
        Array x = random_array(shape, dtype, 1);
        for (int64_t i = 0; i < shape.numel(); i += 7)  // ties and NaN
          x.set(i, i % 3 == 0 ? NAN : 1.0);
        const Shape out_shape = pool2d_output_shape(host_view(x), p);
        const Array y(out_shape, dtype);
        expect_same_on_cuda({x}, {y, Array(out_shape, Dtype::I32)}, 0,
                            [&](auto& ctx, const Views& in, const Views& out) {
                              max_pool2d_forward(ctx, in[0], out[0], out[1], p);
                            });
        expect_same_on_cuda({x}, {y}, 0, [&](auto& ctx, const Views& in, const Views& out) {
          max_pool2d_forward(ctx, in[0], out[0], View{}, p);
        });
        expect_same_on_cuda({x}, {y}, tolerance_of(dtype),
                            [&](auto& ctx, const Views& in, const Views& out) {
                              avg_pool2d_forward(ctx, in[0], out[0], p);
                            });
        const Array dy = random_array(out_shape, dtype, 2);
        // Any positions in the image will do.
        expect_same_on_cuda({dy, random_indices(out_shape, Dtype::I32, 3, shape[1] * shape[2])},
                            {Array(shape, dtype)}, 0,
                            [&](auto& ctx, const Views& in, const Views& out) {
                              max_pool2d_backward(ctx, in[0], in[1], out[0], p);
                            });
        expect_same_on_cuda({dy}, {Array(shape, dtype)}, tolerance_of(dtype),
                            [&](auto& ctx, const Views& in, const Views& out) {
                              avg_pool2d_backward(ctx, in[0], out[0], p);
                            });
        const Shape means{shape[0], shape[3]};
        expect_same_on_cuda({random_array(shape, dtype, 4)}, {Array(means, dtype)},
                            tolerance_of(dtype), [](auto& ctx, const Views& in, const Views& out) {
                              global_avg_pool2d_forward(ctx, in[0], out[0]);
                            });
        expect_same_on_cuda({random_array(means, dtype, 5)}, {Array(shape, dtype)},
                            tolerance_of(dtype), [](auto& ctx, const Views& in, const Views& out) {
                              global_avg_pool2d_backward(ctx, in[0], out[0]);
                            });
      }
}

#endif  // DITTO_HAS_CUDA
