#include "core/on_device.h"
#include "kernels/matmul.h"

#include "tests/kernels/cuda_parity.h"

#ifdef DITTO_HAS_CUDA

#include <limits>

#ifdef DITTO_CUDA_EMULATED
#include "tests/cuda_emulation/cudart.h"
#include "tests/cuda_emulation/report.h"
#endif

using namespace ditto;
using namespace ditto::kernels;
using namespace ditto::testing;

namespace {

void compare(Dtype dtype, int64_t m, int64_t n, int64_t k, const MatmulParams& p) {
  INFO(to_string(dtype) << " m " << m << " n " << n << " k " << k << " transposed " << p.transpose_a
                        << p.transpose_b << " alpha " << p.alpha << " beta " << p.beta);
  Array a = random_array(p.transpose_a ? Shape{k, m} : Shape{m, k}, dtype, 1);
  Array b = random_array(p.transpose_b ? Shape{n, k} : Shape{k, n}, dtype, 2);
  Array c = random_array({m, n}, dtype, 3);
  for (Array* array : {&a, &b, &c})  // an address, also where there is no element
    if (array->bytes.empty()) array->bytes.resize(8);
  if (p.beta == 0)  // is not read
    for (int64_t i = 0; i < m * n; ++i) c.set(i, std::numeric_limits<double>::quiet_NaN());
  expect_same_on_cuda(
      {a, b}, {c}, tolerance_of(dtype, 1e-6) * static_cast<double>(k + 1),
      [&](auto& ctx, const Views& in, const Views& out) { matmul(ctx, in[0], in[1], out[0], p); });
}

}  // namespace

TEST_CASE("matmul: CUDA as CPU, all transposes and scales, odd and empty sizes", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  for (const Dtype dtype : {Dtype::F32, Dtype::F64, Dtype::BF16})
    for (bool ta : {false, true})
      for (bool tb : {false, true})
        for (const auto& [alpha, beta] :
             {std::pair{1.0, 0.0}, {-0.5, 0.25}, {0.0, 2.0}, {0.0, 0.0}})
          for (auto [m, n, k] : std::vector<std::array<int64_t, 3>>{
                   {1, 1, 1}, {5, 7, 3}, {17, 1, 9}, {33, 10, 64}, {3, 2, 0}, {0, 2, 3}, {3, 0, 2}})
            compare(dtype, m, n, k, {ta, tb, alpha, beta});
}

TEST_CASE("matmul: errors of CUDA name the op", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  CudaContext& ctx = cuda_context(0);
  Array a = random_array({2, 3}, Dtype::F32, 1), b = random_array({3, 4}, Dtype::F32, 2);
  const Array c({2, 4}, Dtype::F32), wrong({4, 2}, Dtype::F32);
  const OnDevice da(ctx, a, 0), db(ctx, b, 0), dc(ctx, c, 0), dwrong(ctx, wrong, 0);
  CHECK_THROWS_WITH(matmul(ctx, da.view(), db.view(), dwrong.view(), {}),
                    contains("[matmul] C has shape (4, 2) but should have (2, 4)"));
  CHECK_THROWS_WITH(matmul(ctx, host_view(a), db.view(), dc.view(), {}),
                    contains("[matmul] the kernel runs on cuda:0 but the argument is on cpu"));
#ifdef DITTO_CUDA_EMULATED
  emulation::fail_call("cublasGemmEx");
  CHECK_THROWS_WITH(matmul(ctx, da.view(), db.view(), dc.view(), {}),
                    contains("[matmul] cublasGemmEx failed: CUBLAS_STATUS_EXECUTION_FAILED"));
#endif
}

#ifdef DITTO_CUDA_EMULATED
TEST_CASE("matmul: TF32 rounds the inputs where it is allowed") {
  CudaContext& ctx = cuda_context(0);
  Array one({1, 1}, Dtype::F32), fine({1, 1}, Dtype::F32);
  *one.data<float>() = 1;
  *fine.data<float>() = 1 + 1.0f / 4096;  // 12 bits of mantissa
  const OnDevice a(ctx, one, 0), b(ctx, fine, 0), c(ctx, one, 0);
  for (bool allowed : {true, false}) {
    allow_tf32(allowed);
    matmul(ctx, a.view(), b.view(), c.view(), {});
    CHECK(*c.read().data<float>() == (allowed ? 1 : 1 + 1.0f / 4096));
  }
}

TEST_CASE("matmul: a result in the memory of an input is a finding of the emulated device") {
  CudaContext& ctx = cuda_context(0);
  const Array square = random_array({4, 4}, Dtype::F32, 1);
  const OnDevice a(ctx, square, 0), b(ctx, square, 0), c(ctx, square, 0);
  for (bool repaired : {false, true}) {
    matmul(ctx, a.view(), b.view(), repaired ? c.view() : a.view(), {});
    ctx.synchronize();
    const auto findings = emulation::take_reports();
    REQUIRE(findings.size() == (repaired ? 0 : 1));
    if (!repaired) CHECK(findings[0].kind == "alias");
  }
}
#endif

#endif  // DITTO_HAS_CUDA
