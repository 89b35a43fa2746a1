#include "kernels/group_kl.h"

#include "tests/kernels/cuda_parity.h"

#ifdef DITTO_HAS_CUDA

using namespace ditto;
using namespace ditto::kernels;
using namespace ditto::testing;

namespace {

Array soft_targets(const Shape& shape, Dtype dtype) {
  Array y(shape, dtype);
  Rng rng(9);
  for (int64_t i = 0; i < shape[0]; ++i)  // some rows have no mass at all
    for (int64_t c = 0; c < shape[1]; ++c) {
      const double value = i % 11 == 4 || rng.chance(0.6) ? 0 : rng.uniform();
      if (dtype == Dtype::F64)
        y.data<double>()[i * shape[1] + c] = value;
      else
        y.data<float>()[i * shape[1] + c] = static_cast<float>(value);
    }
  return y;
}

}  // namespace

TEST_CASE("group_kl: CUDA as CPU", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  const Shape shapes[] = {{0, 3}, {1, 1}, {33, 10}, {40, 33}, {31, 130}};
  for (const Dtype dtype : {Dtype::F32, Dtype::F64})
    for (const Shape& shape : shapes)
      for (const bool overlap : {false, true}) {
        INFO(to_string(dtype) << " " << to_string(shape) << " overlap " << overlap);
        const Shape rows{shape[0]};
        Array logits = random_array(shape, dtype, 1, 2);
        if (shape[0] > 30 && dtype == Dtype::F32) {  // probabilities that underflow
          logits.data<float>()[0] = 400;
          logits.data<float>()[shape[1]] = -500;
        }
        const Array groups = random_indices(rows, Dtype::I64, 2, 1 + shape[0] / 3),
                    targets = soft_targets(shape, dtype), g = random_array(rows, dtype, 3);
        const double tolerance = tolerance_of(dtype, 2e-5);
        expect_same_on_cuda({logits, groups, targets}, {Array(rows, dtype), Array(shape, dtype)},
                            tolerance, [&](auto& ctx, const Views& in, const Views& out) {
                              group_kl_forward(ctx, in[0], in[1], overlap ? in[2] : View{}, out[0],
                                               out[1]);
                            });
        for (const bool anchor_grad : {false, true})
          expect_same_on_cuda({logits, groups, targets, g}, {Array(shape, dtype)}, 5 * tolerance,
                              [&](auto& ctx, const Views& in, const Views& out) {
                                group_kl_backward(ctx, in[3], in[0], in[1],
                                                  overlap ? in[2] : View{}, anchor_grad, out[0]);
                              });
        expect_same_on_cuda({logits, groups}, {Array(shape, dtype)}, tolerance_of(dtype),
                            [](auto& ctx, const Views& in, const Views& out) {
                              group_mean(ctx, in[0], in[1], out[0]);
                            });
      }
}

#endif  // DITTO_HAS_CUDA
