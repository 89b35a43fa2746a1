#include "core/on_device.h"
#include "kernels/softmax.h"

#include "tests/kernels/cuda_parity.h"

#ifdef DITTO_HAS_CUDA

using namespace ditto;
using namespace ditto::kernels;
using namespace ditto::testing;

namespace {

// Rows and columns, among them what is not a multiple of anything and rows that no tile holds.
const Shape kShapes[] = {{0, 10}, {1, 1},   {31, 1},   {32, 2},   {257, 10}, {33, 100},
                         {5, 33}, {3, 255}, {2, 1025}, {1023, 3}, {3, 13000}};

template <class T>
void put(Array& array, int64_t i, double value) {
  array.data<T>()[i] = static_cast<T>(value);
}
void put(Array& array, int64_t i, double value) {
  if (array.dtype == Dtype::F64)
    put<double>(array, i, value);
  else
    put<float>(array, i, value);
}

// At logits of 1e4 the CPU's f64 sums lose 1e-12.
constexpr double kF64 = 3e-12;

// Large logits, and, in the last rows, infinities and NaN.
Array logits_of(const Shape& shape, Dtype dtype) {
  Array x = random_array(shape, dtype, 1, 3);
  const int64_t n = shape[0], k = shape[1];
  for (int64_t c = 0; c < k && n > 30; ++c) {
    put(x, (n - 1) * k + c, -INFINITY);
    put(x, (n - 2) * k + c, c == 0 ? INFINITY : 1.0);
    put(x, (n - 3) * k + c, c == k - 1 ? NAN : 0.5);
    put(x, (n - 4) * k + c, c % 2 == 0 ? 1e4 : 1e4 - 1);
    put(x, (n - 5) * k + c, c == k / 2 ? 3.0 : -INFINITY);
  }
  return x;
}

Array soft_targets(const Shape& shape, Dtype dtype) {
  Array y = random_array(shape, dtype, 2);
  for (int64_t i = 0; i < shape.numel(); ++i)
    put(y, i, i % 3 == 0 ? 0.0 : std::fabs(std::sin(static_cast<double>(i))));
  return y;
}

}  // namespace

TEST_CASE("softmax and log_softmax: CUDA as CPU", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  for (const Dtype dtype : {Dtype::F32, Dtype::F64})
    for (const Shape& shape : kShapes) {
      INFO(to_string(dtype) << " " << to_string(shape));
      const double tolerance = tolerance_of(dtype, 3e-6, kF64);
      const Array x = logits_of(shape, dtype), dy = random_array(shape, dtype, 3);
      const Array empty(shape, dtype);
      expect_same_on_cuda({x}, {empty}, tolerance,
                          [](auto& ctx, const Views& in, const Views& out) {
                            softmax_forward(ctx, in[0], out[0]);
                          });
      expect_same_on_cuda({x}, {empty}, tolerance,
                          [](auto& ctx, const Views& in, const Views& out) {
                            log_softmax_forward(ctx, in[0], out[0]);
                          });
      Array y = random_array(shape, dtype, 4, 0.5, -2);
      expect_same_on_cuda({dy, y}, {empty}, 10 * tolerance,
                          [](auto& ctx, const Views& in, const Views& out) {
                            softmax_backward(ctx, in[0], in[1], out[0]);
                          });
      expect_same_on_cuda({dy, y}, {empty}, 10 * tolerance,
                          [](auto& ctx, const Views& in, const Views& out) {
                            log_softmax_backward(ctx, in[0], in[1], out[0]);
                          });
    }
}

TEST_CASE("cross_entropy: CUDA as CPU", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  for (const Dtype dtype : {Dtype::F32, Dtype::F64})
    for (const Shape& shape : kShapes)
      for (const double smoothing : {0.0, 0.1})
        for (const bool soft : {false, true}) {
          INFO(to_string(dtype) << " " << to_string(shape) << " " << smoothing << " " << soft);
          const Shape rows{shape[0]};
          const CrossEntropyParams p{.label_smoothing = smoothing, .ignore_index = -7};
          Array labels = random_indices(rows, Dtype::I64, 5, shape[1]);
          for (int64_t i = 0; i < rows[0]; i += 5) labels.data<int64_t>()[i] = -7;
          const Array x = logits_of(shape, dtype);
          const Array target = soft ? soft_targets(shape, dtype) : labels;
          // Sums over many columns of soft targets.
          const double tolerance = tolerance_of(dtype, soft ? 2e-5 : 3e-6, kF64);
          expect_same_on_cuda({x, target}, {Array(rows, dtype), Array(rows, Dtype::F64)}, tolerance,
                              [&](auto& ctx, const Views& in, const Views& out) {
                                cross_entropy_forward(ctx, in[0], soft ? View{} : in[1],
                                                      soft ? in[1] : View{}, out[0], out[1], p);
                              });
          const Array g = random_array(rows, dtype, 6);
          expect_same_on_cuda(
              {x, target, g}, {Array(shape, dtype), Array(rows, dtype), Array(rows, Dtype::F64)},
              tolerance, [&](auto& ctx, const Views& in, const Views& out) {
                const View label_view = soft ? View{} : in[1], soft_view = soft ? in[1] : View{};
                cross_entropy_forward(ctx, in[0], label_view, soft_view, out[1], out[2], p);
                cross_entropy_backward(ctx, in[2], in[0], label_view, soft_view, out[2], out[0], p);
              });
        }
}

TEST_CASE("cross_entropy of a function of -log p: CUDA as CPU", "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  using Kind = NllFunction::Kind;
  for (const Dtype dtype : {Dtype::F32, Dtype::F64})
    for (const Shape& shape :
         {Shape{0, 10}, Shape{5, 1}, Shape{257, 10}, Shape{3, 255}, Shape{2, 13000}})
      for (const NllFunction& f :
           {NllFunction{Kind::Power, -0.7, INFINITY}, NllFunction{Kind::Power, 0.5, INFINITY},
            NllFunction{Kind::Power, -1, 1.5}, NllFunction{Kind::Focal, 2}})
        for (const double smoothing : {0.0, 0.1})
          for (const bool soft : {false, true}) {
            INFO(to_string(dtype) << " " << to_string(shape) << " kind " << int(f.kind) << " a "
                                  << f.a << " smoothing " << smoothing << " soft " << soft);
            const Shape rows{shape[0]};
            const CrossEntropyParams p{
                .label_smoothing = smoothing, .ignore_index = -7, .function = f};
            Array labels = random_indices(rows, Dtype::I64, 5, shape[1]);
            for (int64_t i = 0; i < rows[0]; i += 5) labels.data<int64_t>()[i] = -7;
            const Array x = random_array(shape, dtype, 1, 3), g = random_array(rows, dtype, 6);
            const Array target = soft ? soft_targets(shape, dtype) : labels;
            expect_same_on_cuda(
                {x, target, g}, {Array(shape, dtype), Array(rows, dtype), Array(rows, Dtype::F64)},
                tolerance_of(dtype, 1e-4, kF64), [&](auto& ctx, const Views& in, const Views& out) {
                  const View label_view = soft ? View{} : in[1], soft_view = soft ? in[1] : View{};
                  cross_entropy_forward(ctx, in[0], label_view, soft_view, out[1], out[2], p);
                  cross_entropy_backward(ctx, in[2], in[0], label_view, soft_view, out[2], out[0],
                                         p);
                });
          }
}

TEST_CASE("cross_entropy: a bad label on CUDA throws where the host waits, and only there",
          "[gpu]") {
  if (!cuda_device_present()) DITTO_SKIP("no CUDA device");
  CudaContext& ctx = cuda_context(0);
  const Shape shape{40, 10}, rows{40};
  Array labels = random_indices(rows, Dtype::I64, 1, 10);
  const Array x = random_array(shape, Dtype::F32, 2), out(rows, Dtype::F32), norm(rows, Dtype::F64);
  for (const int64_t bad : {int64_t{10}, int64_t{-1}, INT64_MAX, INT64_MIN}) {
    labels.data<int64_t>()[33] = bad;
    const OnDevice logits(ctx, x, 0), label(ctx, labels, 0), loss(ctx, out, 0), lse(ctx, norm, 0);
    cross_entropy_forward(ctx, logits.view(), label.view(), {}, loss.view(), lse.view(), {});
    REQUIRE_THROWS_WITH(ctx.synchronize(), contains("[cross_entropy] label " + std::to_string(bad) +
                                                    " of row 33 is outside [0, 10 )"));
    ctx.synchronize();  // reported once
    const Array losses = loss.read();
    CHECK(std::isnan(losses.data<float>()[33]));
    CHECK(std::isfinite(losses.data<float>()[32]));
  }
}

#endif  // DITTO_HAS_CUDA
