#include "kernels/batch_norm.h"

#include "tests/kernels/cuda_parity.h"

#ifdef DITTO_HAS_CUDA

using namespace ditto;
using namespace ditto::kernels;
using namespace ditto::testing;

namespace {

const Shape kShapes[] = {{0, 4},    {1, 1},    {31, 1},  {33, 3},
                         {257, 16}, {1025, 5}, {32, 33}, {3, 1032}};

}  // namespace

TEST_CASE("batch_norm statistics: CUDA as CPU, also far from zero", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  for (const Dtype dtype : {Dtype::F32, Dtype::F64, Dtype::BF16})
    for (const Shape& shape : kShapes)
      for (const double shift : {0.0, 300.0}) {
        INFO(to_string(dtype) << " " << to_string(shape) << " + " << shift);
        const Shape channels{shape[1]};
        const Dtype kept = kept_dtype(dtype);
        // A mean of 300 in f32 is known to 300 eps, and the deviations with it.
        expect_same_on_cuda({random_array(shape, dtype, 1, 1, shift)},
                            {Array(channels, kept), Array(channels, kept)},
                            tolerance_of(dtype, shift > 0 ? 1e-4 : 2e-6),
                            [](auto& ctx, const Views& in, const Views& out) {
                              batch_norm_statistics(ctx, in[0], out[0], out[1]);
                            });
      }
}

TEST_CASE("batch_norm finish: CUDA as CPU, running statistics or not", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  for (const Dtype dtype : {Dtype::F32, Dtype::F64})
    for (const int64_t channels : {1, 33, 257})
      for (const bool running : {false, true}) {
        const Shape shape{channels};
        const Array mean = random_array(shape, dtype, 1),
                    variance = random_array(shape, dtype, 2, 0.1, 2);
        expect_same_on_cuda({mean, variance}, {Array(shape, dtype), mean, variance},
                            tolerance_of(dtype), [&](auto& ctx, const Views& in, const Views& out) {
                              batch_norm_finish(ctx, running ? in[0] : View{}, in[1], 50,
                                                {.eps = 1e-3, .momentum = 0.3}, out[0],
                                                running ? out[1] : View{},
                                                running ? out[2] : View{});
                            });
      }
}

TEST_CASE("batch_norm apply and backward: CUDA as CPU", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  for (const Dtype dtype : {Dtype::F32, Dtype::F64, Dtype::BF16})
    for (const Shape& shape : kShapes)
      for (const int variant : {0, 1, 2, 3, 4}) {
        const bool relu = variant % 2 == 1, residual = variant >= 2, affine = variant != 4;
        INFO(to_string(dtype) << " " << to_string(shape) << " variant " << variant);
        const Shape channels{shape[1]};
        const Dtype kept = kept_dtype(dtype);
        const Array x = random_array(shape, dtype, 1), skip = random_array(shape, dtype, 2),
                    mean = random_array(channels, kept, 3, 0.2),
                    invstd = random_array(channels, kept, 4, 0.1, 1),
                    gamma = random_array(channels, kept, 5), beta = random_array(channels, kept, 6);
        const double tolerance = tolerance_of(dtype);
        expect_same_on_cuda({x, mean, invstd, gamma, beta, skip}, {Array(shape, dtype)}, tolerance,
                            [&](auto& ctx, const Views& in, const Views& out) {
                              batch_norm_apply(ctx, in[0], in[1], in[2], affine ? in[3] : View{},
                                               affine ? in[4] : View{}, residual ? in[5] : View{},
                                               relu, out[0]);
                            });
        const Array dy = random_array(shape, dtype, 7), y = random_array(shape, dtype, 8);
        const double depth = std::sqrt(static_cast<double>(shape[0]) + 1);
        if (variant == 2) continue;  // without the ReLU the gradient passes the residual by
        for (const bool training : {false, true})
          expect_same_on_cuda(
              {dy, x, y, mean, invstd, gamma},
              {Array(shape, dtype), Array(channels, kept), Array(channels, kept),
               Array(shape, dtype)},
              tolerance_of(dtype, 2e-6 * depth), [&](auto& ctx, const Views& in, const Views& out) {
                batch_norm_backward(ctx, in[0], in[1], relu ? in[2] : View{}, in[3], in[4],
                                    affine ? in[5] : View{}, training, out[0],
                                    affine ? out[1] : View{}, affine ? out[2] : View{},
                                    residual && relu ? out[3] : View{});
              });
      }
}

#endif  // DITTO_HAS_CUDA
