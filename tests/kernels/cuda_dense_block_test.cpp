#include "kernels/dense_block.h"

#include "tests/kernels/cuda_parity.h"

#ifdef DITTO_HAS_CUDA

using namespace ditto;
using namespace ditto::kernels;
using namespace ditto::testing;

TEST_CASE("dense_block: CUDA as CPU, forward and backward of a layer", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  for (const Dtype dtype : {Dtype::F32, Dtype::F64})
    for (const int64_t in : {4, 7}) {
      const int64_t k = in == 4 ? 4 : 3, all = in + k + (in == 4 ? 4 : 2);
      const Shape images{3, 5, 6, all};
      const Array features = random_array(images, dtype, 1),
                  mean = random_array({all}, dtype, 2, 0.3),
                  invstd = random_array({all}, dtype, 3, 0.1, 1),
                  gamma = random_array({in}, dtype, 4), beta = random_array({in}, dtype, 5),
                  w = random_array({k, 3, 3, in}, dtype, 6, 0.3);
      const double tolerance = tolerance_of(dtype, 2e-5, 1e-12);
      INFO(to_string(dtype) << " in " << in);
      for (const bool statistics : {false, true})
        expect_same_on_cuda(
            {mean, invstd, gamma, beta, w}, {features, Array({k}, dtype), Array({k}, dtype)},
            tolerance, [&](auto& ctx, const Views& x, const Views& out) {
              dense_layer_forward(ctx, out[0], {x[0], x[1], x[2], x[3]}, x[4],
                                  statistics ? out[1] : View{}, statistics ? out[2] : View{});
            });
      const Array gradient = random_array(images, dtype, 7),
                  pending = random_array({2, all}, Dtype::F64, 8, 0.1);
      for (const bool training : {false, true})
        expect_same_on_cuda(
            {mean, invstd, gamma, beta, w, features},
            {gradient, training ? pending : Array({2, all}, Dtype::F64), Array({in}, dtype),
             Array({in}, dtype), Array(w.shape, dtype)},
            5 * tolerance,
            [&](auto& ctx, const Views& x, const Views& out) {
              dense_layer_backward(ctx, x[5], out[0], {x[0], x[1], x[2], x[3]}, x[4], training,
                                   out[1], out[2], out[3], out[4]);
            },
            false);
      expect_same_on_cuda({features, gradient, mean, pending},
                          {Array({images[0], images[1], images[2], in}, dtype)}, tolerance,
                          [](auto& ctx, const Views& x, const Views& out) {
                            dense_block_input_gradient(ctx, x[0], x[1], x[2], x[3], out[0]);
                          });
    }
}

#endif  // DITTO_HAS_CUDA
