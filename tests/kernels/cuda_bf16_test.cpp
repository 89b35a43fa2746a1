// bf16 on CUDA: the elementwise kernels, casts and masks give what the CPU's give (the others have
// a bf16 case beside their f32 and f64 ones).
#include "core/on_device.h"
#include "kernels/elementwise.h"
#include "kernels/random.h"
#include "kernels/reduce.h"
#include "tests/kernels/cuda_parity.h"

#ifdef DITTO_HAS_CUDA

using namespace ditto;
using namespace ditto::kernels;
using namespace ditto::testing;

namespace {

constexpr Dtype kBf16 = Dtype::BF16;
// Full packs of eight, tails, and fewer than one pack.
const int64_t kLengths[] = {0, 1, 7, 8, 9, 255, 2048, 2051};

// `view` over `shape`, repeated along dimensions in which it has size 1.
View broadcast(View view, const Shape& shape) {
  for (int d = 0; d < shape.rank(); ++d)
    if (view.shape[d] == 1) view.strides[d] = 0;
  view.shape = shape;
  return view;
}

// Functions of the math library differ in their last digits, far below bf16's.
constexpr double kTolerance = 1e-6;

}  // namespace

TEST_CASE("bf16 elementwise: CUDA as CPU, every unary function", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  for (int op = 0; op < static_cast<int>(UnaryMath::size); ++op)
    for (const int64_t n : kLengths) {
      INFO("op " << op << ", " << n << " elements");
      // Positive: in the domain of log and sqrt.
      Array x = random_array({n}, kBf16, 1);
      for (int64_t i = 0; i < n; ++i) x.set(i, 0.1 + std::fabs(x.at(i)));
      const Array dy = random_array({n}, kBf16, 2), y(Shape{n}, kBf16);
      expect_same_on_cuda({x}, {y}, kTolerance, [&](auto& ctx, const Views& in, const Views& out) {
        unary_forward(ctx, op, in[0], out[0]);
      });
      expect_same_on_cuda({dy, x}, {y}, kTolerance,
                          [&](auto& ctx, const Views& in, const Views& out) {
                            unary_backward(ctx, op, in[0], in[1], out[0]);
                          });
    }
}

TEST_CASE("bf16 elementwise: CUDA as CPU, every binary function, broadcast or not", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  const Shape shapes[][2] = {{{9, 33}, {9, 33}}, {{9, 33}, {1, 33}}, {{8, 16}, {8, 1}}};
  for (int op = 0; op < static_cast<int>(BinaryMath::size); ++op)
    for (const auto& [full, other] : shapes) {
      INFO("op " << op << ", " << to_string(full) << " and " << to_string(other));
      const Array a = random_array(full, kBf16, 1, 0.4, 2),
                  b = random_array(other, kBf16, 2, 0.4, 2.5), dy = random_array(full, kBf16, 3),
                  y(full, kBf16);
      expect_same_on_cuda({a, b}, {y}, kTolerance,
                          [&](auto& ctx, const Views& in, const Views& out) {
                            binary_forward(ctx, op, in[0], broadcast(in[1], full), out[0]);
                          });
      for (const Side side : {Side::A, Side::B})
        expect_same_on_cuda(
            {dy, a, b}, {y}, kTolerance, [&](auto& ctx, const Views& in, const Views& out) {
              binary_backward(ctx, op, side, in[0], in[1], broadcast(in[2], full), out[0]);
            });
    }
}

TEST_CASE("bf16 elementwise: CUDA as CPU, accumulate, scale, copies between dtypes, fill, mask",
          "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  for (const int64_t n : kLengths) {
    INFO(n << " elements");
    const Array x = random_array({n}, kBf16, 1), y = random_array({n}, kBf16, 2);
    expect_same_on_cuda({x}, {y}, kTolerance, [](auto& ctx, const Views& in, const Views& out) {
      accumulate(ctx, in[0], 0.3, out[0]);
    });
    expect_same_on_cuda({x}, {y}, kTolerance, [](auto& ctx, const Views& in, const Views& out) {
      kernels::scale(ctx, in[0], 0.3, out[0]);
    });
    expect_same_on_cuda({}, {y}, 0, [](auto& ctx, const Views&, const Views& out) {
      fill_dropout_mask(ctx, {.seed = 3}, 0.4, out[0]);
      if (out[0].numel() > 8) fill(ctx, 1.0 / 3, {out[0].data, kBf16, out[0].device, {7}, {1}});
    });
    // Values in the middle of two bf16 go to the even one, and infinities stay.
    Array fine = random_array({n}, Dtype::F32, 3);
    for (int64_t i = 0; i < n; i += 5) fine.set(i, i % 2 ? 1 + 1.0 / 256 : 1 + 3.0 / 256);
    if (n > 8) fine.set(7, INFINITY), fine.set(8, 3.4e38), fine.set(1, -1e-41);
    for (const Dtype dtype : {Dtype::F32, Dtype::F64, Dtype::F16, Dtype::I32}) {
      INFO(to_string(dtype));
      const auto same_bits = [&](const Array& from, const Array& to) {
        Array host_from = from, host_to = to;
        CpuContext cpu;
        copy(cpu, host_view(host_from), host_view(host_to));
        for (const int64_t shift : {0, 1}) {
          const OnDevice source(cuda_context(0), from, shift), target(cuda_context(0), to, shift);
          copy(cuda_context(0), source.view(), target.view());
          CHECK(target.read().bytes == host_to.bytes);
        }
      };
      if (dtype == Dtype::F32) same_bits(fine, Array(Shape{n}, kBf16));
      same_bits(x, Array(Shape{n}, dtype));
      if (n == 2048)  // columns of a matrix
        expect_same_on_cuda({random_array({32, 64}, Dtype::F32, 4)}, {Array({64, 32}, kBf16)}, 0,
                            [](auto& ctx, const Views& in, const Views& out) {
                              View turned = in[0];
                              turned.shape = {64, 32}, turned.strides = {1, 64};
                              copy(ctx, turned, out[0]);
                            });
    }
  }
}

TEST_CASE("bf16 sums on CUDA are f32 sums, rounded once", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  // 1 + 2^-9 + ... : every addition in bf16 would be lost.
  constexpr int64_t kTerms = 513;
  Array x(Shape{kTerms}, kBf16);
  for (int64_t i = 0; i < kTerms; ++i) x.set(i, i == 0 ? 1.0 : 1.0 / 512);
  const OnDevice device(cuda_context(0), x, 0), total(cuda_context(0), Array(Shape{1}, kBf16), 0);
  reduce_sum(cuda_context(0), device.view(), total.view(), {1, kTerms, 1}, 1.0);
  CHECK(total.read().at(0) == 2);
}

#endif  // DITTO_HAS_CUDA
