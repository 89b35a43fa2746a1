#include "core/on_device.h"
#include "kernels/label_select.h"

#include "tests/kernels/cuda_parity.h"

#ifdef DITTO_HAS_CUDA

using namespace ditto;
using namespace ditto::kernels;
using namespace ditto::testing;

TEST_CASE("pick_label and put_label: CUDA as CPU", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  for (const Dtype dtype : {Dtype::F32, Dtype::F64})
    for (const int64_t n : {0, 1, 33, 257})
      for (const int64_t k : {1, 3, 10, 100}) {
        INFO(to_string(dtype) << " n " << n << " k " << k);
        const Shape shape{n, k}, rows{n};
        Array labels = random_indices(rows, Dtype::I64, 1, k);
        for (int64_t i = 0; i < n; i += 5) labels.data<int64_t>()[i] = -7;
        const Array x = random_array(shape, dtype, 2), values = random_array(rows, dtype, 3);
        expect_same_on_cuda({x, labels}, {Array(rows, dtype)}, 0,
                            [](auto& ctx, const Views& in, const Views& out) {
                              pick_label(ctx, in[0], in[1], -7, out[0]);
                            });
        expect_same_on_cuda({x, labels, values}, {random_array(shape, dtype, 4)}, 0,
                            [](auto& ctx, const Views& in, const Views& out) {
                              put_label(ctx, in[0], in[1], in[2], 64, -7, out[0]);
                            });
        // Nothing to copy and no values: zeros.
        expect_same_on_cuda({labels, values}, {random_array(shape, dtype, 4)}, 0,
                            [](auto& ctx, const Views& in, const Views& out) {
                              put_label(ctx, View(), in[0], in[1], 64, -7, out[0]);
                            });
        expect_same_on_cuda({x, labels}, {random_array(shape, dtype, 4)}, 0,
                            [](auto& ctx, const Views& in, const Views& out) {
                              put_label(ctx, in[0], in[1], View(), 64, -7, out[0]);
                            });
      }
}

TEST_CASE("pick_label and put_label: a bad label on CUDA throws where the host waits", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  CudaContext& ctx = cuda_context(0);
  Array labels = random_indices({40}, Dtype::I64, 1, 10);
  const Array x = random_array({40, 10}, Dtype::F32, 2), y({40}, Dtype::F32);
  for (const int64_t bad : {int64_t{10}, int64_t{-1}, INT64_MAX, INT64_MIN}) {
    labels.data<int64_t>()[33] = bad;
    const OnDevice matrix(ctx, x, 0), label(ctx, labels, 0), picked(ctx, y, 0);
    const std::string message = "[label] label " + std::to_string(bad) + " of row 33 is outside";
    pick_label(ctx, matrix.view(), label.view(), -7, picked.view());
    REQUIRE_THROWS_WITH(ctx.synchronize(), contains(message));
    put_label(ctx, matrix.view(), label.view(), picked.view(), 1, -7, matrix.view());
    REQUIRE_THROWS_WITH(ctx.synchronize(), contains(message));
  }
}

#endif  // DITTO_HAS_CUDA
