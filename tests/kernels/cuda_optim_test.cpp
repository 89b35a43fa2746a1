#include "kernels/optim.h"

#include "tests/kernels/cuda_parity.h"

#ifdef DITTO_HAS_CUDA

using namespace ditto;
using namespace ditto::kernels;
using namespace ditto::testing;

namespace {

const int64_t kSizes[] = {0, 1, 31, 32, 33, 255, 256, 257, 1023, 1025, 4096, 9001};

// More tensors than one launch takes, of both dtypes.
std::vector<Array> tensors(uint64_t seed, double scale, double shift) {
  std::vector<Array> all;
  for (int64_t i = 0; i < 84; ++i)
    all.push_back(random_array({kSizes[i % 12]}, i % 7 == 3 ? Dtype::F64 : Dtype::F32,
                               seed + static_cast<uint64_t>(i), scale, shift));
  return all;
}

std::vector<Array> join(std::vector<Array> a, const std::vector<Array>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

TEST_CASE("sgd, adam, ema: CUDA as CPU, many tensors of both dtypes", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  const auto weights = tensors(1, 1, 0), grads = tensors(100, 1, 0), states = tensors(200, 0.1, 0),
             squares = tensors(300, 0.01, 1);
  const size_t n = weights.size();
  for (const bool nesterov : {false, true}) {
    const math::SgdUpdate rule{0.1, 0.9, 5e-4, nesterov, !nesterov};
    expect_same_on_cuda(grads, join(weights, states), 1e-6,
                        [&](auto& ctx, const Views& in, const Views& out) {
                          std::vector<SgdSlot> slots;
                          for (size_t i = 0; i < n; ++i)
                            slots.push_back({out[i], in[i], out[n + i]});
                          sgd_update(ctx, slots, rule);
                        });
    const math::AdamUpdate adam{1e-3, 0.9, 0.999, 1e-8, 1e-2, nesterov, 0.271, 0.003};
    expect_same_on_cuda(grads, join(join(weights, states), squares), 1e-6,
                        [&](auto& ctx, const Views& in, const Views& out) {
                          std::vector<AdamSlot> slots;
                          for (size_t i = 0; i < n; ++i)
                            slots.push_back({out[i], in[i], out[n + i], out[2 * n + i]});
                          adam_update(ctx, slots, adam);
                        });
  }
  expect_same_on_cuda(weights, states, 1e-6, [&](auto& ctx, const Views& in, const Views& out) {
    std::vector<EmaSlot> slots;
    for (size_t i = 0; i < n; ++i) slots.push_back({in[i], out[i]});
    ema_update(ctx, slots, {0.99});
  });
}

TEST_CASE("sum_of_squares: CUDA as CPU, in double", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  const auto all = tensors(1, 1, 0);
  expect_same_on_cuda(
      all, {Array({2}, Dtype::F64)}, 1e-13, [&](auto& ctx, const Views& in, const Views& out) {
        const double sum = sum_of_squares(ctx, in);
        CHECK(sum_of_squares(ctx, Views{}) == 0);
        // The result is on the host: on its way to the comparison, in the order of the stream.
        if constexpr (std::is_same_v<std::decay_t<decltype(ctx)>, CpuContext>) {
          out[0].as<double>()[0] = sum;
        } else {
          cuda_check(
              cudaMemcpyAsync(out[0].data, &sum, sizeof sum, cudaMemcpyHostToDevice, ctx.stream()),
              "cudaMemcpyAsync");
          ctx.synchronize();
        }
      });
}

#endif  // DITTO_HAS_CUDA
