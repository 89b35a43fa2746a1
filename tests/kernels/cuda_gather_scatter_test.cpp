#include "core/on_device.h"
#include "kernels/gather_scatter.h"

#include "tests/kernels/cuda_parity.h"

#ifdef DITTO_HAS_CUDA

using namespace ditto;
using namespace ditto::kernels;
using namespace ditto::testing;

TEST_CASE("gather_rows and scatter_add_rows: CUDA as CPU", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  for (const Dtype dtype : {Dtype::F32, Dtype::F64, Dtype::BF16})
    for (const int64_t n : {1, 33, 257})
      for (const int64_t m : {0, 1, 31, 70, 255})
        for (const int64_t columns : {1, 3, 32, 100}) {
          INFO(to_string(dtype) << " n " << n << " m " << m << " columns " << columns);
          const Shape rows{n, columns}, chosen{m, columns};
          const Array index = random_indices({m}, Dtype::I64, 1, n);
          expect_same_on_cuda({random_array(rows, dtype, 2), index}, {Array(chosen, dtype)}, 0,
                              [](auto& ctx, const Views& in, const Views& out) {
                                gather_rows(ctx, in[0], in[1], out[0]);
                              });
          // The same order of additions: the same bits.
          expect_same_on_cuda({random_array(chosen, dtype, 3), index},
                              {random_array(rows, dtype, 4)}, 0,
                              [](auto& ctx, const Views& in, const Views& out) {
                                scatter_add_rows(ctx, in[0], in[1], out[0]);
                              });
        }
}

TEST_CASE("gather_rows: a bad index on CUDA throws where the host waits", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  CudaContext& ctx = cuda_context(0);
  Array index = random_indices({70}, Dtype::I64, 1, 9);
  index.data<int64_t>()[66] = 9;
  const Array rows = random_array({9, 5}, Dtype::F32, 2), chosen({70, 5}, Dtype::F32);
  const OnDevice x(ctx, rows, 0), at(ctx, index, 0), y(ctx, chosen, 0);
  gather_rows(ctx, x.view(), at.view(), y.view());
  REQUIRE_THROWS_WITH(y.read(),
                      contains("[index_select] index 9 at position 66 is outside [0, 9 )"));
  CHECK(y.read().data<float>()[66 * 5] == 0);
}

#endif  // DITTO_HAS_CUDA
