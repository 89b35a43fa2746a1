#include "kernels/pool2d.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/rng.h"
#include "tests/support/catch.h"

namespace ditto::kernels {
namespace {

using testing::contains;

template <class T>
View view_of(const std::vector<T>& values, const Shape& shape) {
  return {const_cast<T*>(values.data()), dtype_of<T>, kCpu, shape, contiguous_strides(shape)};
}

template <class T>
std::vector<T> random_values(int64_t count, uint64_t seed) {
  Rng rng(seed);
  std::vector<T> values(static_cast<size_t>(count) + 1);  // never empty: data() must not be null
  // Few distinct values, so that windows hold equal ones.
  for (T& value : values) value = static_cast<T>(static_cast<int>(rng.below(17))) / 8 - 1;
  return values;
}

template <class T>
double dot(const std::vector<T>& a, const std::vector<T>& b, int64_t count) {
  double sum = 0;
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) sum += double(a[i]) * double(b[i]);
  return sum;
}

struct Case {
  int64_t n, h, w, c;
  Pool2dParams p;
};

const std::vector<Case> kCases = {
    {2, 6, 6, 3, {.kernel = 2}},
    {1, 7, 5, 4, {.kernel = 2, .stride = 2}},
    {3, 8, 9, 65, {.kernel = 3, .stride = 2, .padding = 1}},
    {2, 5, 7, 130, {.kernel = 3, .stride = 1, .padding = 1, .count_include_pad = false}},
    {2, 5, 6, 7, {.kernel = 5, .stride = 3, .padding = 2, .count_include_pad = false}},
    {1, 9, 9, 1, {.kernel = 2, .stride = 3, .padding = 1}},
    {2, 3, 3, 2, {.kernel = 1}},
    {2, 4, 4, 5, {.kernel = 4}},
    {0, 4, 4, 5, {.kernel = 2}},
};

// The definitions, one window at a time.
template <class T>
void compare(const Case& c, int threads) {
  const int64_t stride = c.p.stride ? c.p.stride : c.p.kernel, channels = c.c;
  const Shape xs{c.n, c.h, c.w, c.c};
  const std::vector<T> x = random_values<T>(xs.numel(), 1);
  const Shape ys = pool2d_output_shape(view_of(x, xs), c.p);
  INFO("x " << to_string(xs) << " y " << to_string(ys) << " threads " << threads);
  const std::vector<T> dy = random_values<T>(ys.numel(), 2);
  const size_t in = static_cast<size_t>(xs.numel()), out = static_cast<size_t>(ys.numel());

  std::vector<T> max(out + 1, T{-9}), mean(out + 1, T{-9}), max_dx(in + 1), mean_dx(in + 1);
  std::vector<double> mean_grad(in + 1);
  std::vector<int32_t> winner(out + 1);
  for (int64_t o = 0; o < ys.numel(); ++o) {
    const int64_t channel = o % channels, ow = o / channels % ys[2],
                  oh = o / channels / ys[2] % ys[1];
    const int64_t image = o / channels / ys[2] / ys[1];
    const auto at = [&](int64_t h, int64_t w) {
      return static_cast<size_t>(((image * c.h + h) * c.w + w) * channels + channel);
    };
    std::vector<std::pair<int64_t, int64_t>> pixels;
    for (int64_t h = oh * stride - c.p.padding; h < oh * stride - c.p.padding + c.p.kernel; ++h)
      for (int64_t w = ow * stride - c.p.padding; w < ow * stride - c.p.padding + c.p.kernel; ++w)
        if (h >= 0 && h < c.h && w >= 0 && w < c.w) pixels.emplace_back(h, w);
    const auto best = *std::max_element(pixels.begin(), pixels.end(), [&](auto a, auto b) {
      return x[at(a.first, a.second)] < x[at(b.first, b.second)];
    });
    double sum = 0;
    const double count = c.p.count_include_pad ? c.p.kernel * c.p.kernel : double(pixels.size());
    const T gradient = dy[static_cast<size_t>(o)];
    for (auto [h, w] : pixels) sum += double(x[at(h, w)]);
    for (auto [h, w] : pixels) mean_grad[at(h, w)] += double(gradient) / count;
    max[static_cast<size_t>(o)] = x[at(best.first, best.second)];
    max_dx[at(best.first, best.second)] += gradient;
    winner[static_cast<size_t>(o)] = static_cast<int32_t>(best.first * c.w + best.second);
    mean[static_cast<size_t>(o)] = static_cast<T>(sum / count);
  }

  CpuContext ctx{threads};
  const T nan = std::numeric_limits<T>::quiet_NaN();
  std::vector<T> y(out + 1, nan), dx(in + 1, nan);
  std::vector<int32_t> index(out + 1, -1);
  y[out] = -9, dx[in] = 0, index[out] = 0;  // the element past the end must survive
  max_pool2d_forward(ctx, view_of(x, xs), view_of(y, ys), view_of(index, ys), c.p);
  max_pool2d_backward(ctx, view_of(dy, ys), view_of(index, ys), view_of(dx, xs), c.p);
  CHECK(y == max);
  CHECK(index == winner);
  CHECK(dx == max_dx);  // gradients are multiples of 1/8: their sums are exact
  std::fill(y.begin(), y.end() - 1, nan);
  max_pool2d_forward(ctx, view_of(x, xs), view_of(y, ys), {}, c.p);
  CHECK(y == max);

  std::fill(y.begin(), y.end() - 1, nan);
  std::fill(dx.begin(), dx.end() - 1, nan);
  avg_pool2d_forward(ctx, view_of(x, xs), view_of(y, ys), c.p);
  avg_pool2d_backward(ctx, view_of(dy, ys), view_of(dx, xs), c.p);
  CHECK(y == mean);
  double worst = 0;
  for (size_t i = 0; i <= in; ++i) {
    const double difference = std::fabs(double(dx[i]) - mean_grad[i]);
    if (!(difference <= worst)) worst = difference;
  }
  CHECK(worst <= 8 * std::numeric_limits<T>::epsilon());
  // Averaging is linear: its backward pass is the adjoint.
  CHECK(
      dot(dx, x, xs.numel()) ==
      Approx(dot(dy, y, ys.numel())).epsilon(1e-3).margin(2e3 * std::numeric_limits<T>::epsilon()));
}

TEST_CASE("pool2d: maximum and mean, forward and backward, are their definitions") {
  for (const Case& c : kCases)
    for (int threads : {1, 3}) {
      compare<float>(c, threads);
      compare<double>(c, threads);
    }
  compare<float>({4, 40, 40, 16, {.kernel = 3, .stride = 2, .padding = 1}}, 2);
}

TEST_CASE("pool2d: values by hand") {
  CpuContext ctx;
  const std::vector<double> x = {1, 2, 3,  //
                                 4, 5, 6,  //
                                 7, 8, 9};
  const Pool2dParams p{.kernel = 2, .stride = 2, .padding = 1};
  std::vector<double> y(4);
  std::vector<int32_t> index(4);
  max_pool2d_forward(ctx, view_of(x, {1, 3, 3, 1}), view_of(y, {1, 2, 2, 1}),
                     view_of(index, {1, 2, 2, 1}), p);
  CHECK(y == std::vector<double>{1, 3, 7, 9});
  CHECK(index == std::vector<int32_t>{0, 2, 6, 8});
  avg_pool2d_forward(ctx, view_of(x, {1, 3, 3, 1}), view_of(y, {1, 2, 2, 1}), p);
  CHECK(y == std::vector<double>{0.25, 1.25, 2.75, 7});
  Pool2dParams excluded = p;
  excluded.count_include_pad = false;
  avg_pool2d_forward(ctx, view_of(x, {1, 3, 3, 1}), view_of(y, {1, 2, 2, 1}), excluded);
  CHECK(y == std::vector<double>{1, 2.5, 5.5, 7});
}

TEST_CASE("pool2d: the maximum lets NaN and infinities through") {
  CpuContext ctx;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {1, nan, 2, 3, -infinity, -infinity, -infinity, -infinity};
  std::vector<float> y(2);
  std::vector<int32_t> index(2);
  max_pool2d_forward(ctx, view_of(x, {2, 2, 2, 1}), view_of(y, {2, 1, 1, 1}),
                     view_of(index, {2, 1, 1, 1}), {.kernel = 2});
  CHECK(std::isnan(y[0]));
  CHECK(y[1] == -infinity);
  CHECK(index == std::vector<int32_t>{1, 0});
  max_pool2d_forward(ctx, view_of(x, {2, 2, 2, 1}), view_of(y, {2, 1, 1, 1}), {}, {.kernel = 2});
  CHECK(std::isnan(y[0]));
}

template <class T>
void check_global(const Shape& xs, int threads) {
  INFO("x " << to_string(xs));
  CpuContext ctx{threads};
  const int64_t pixels = xs[1] * xs[2], channels = xs[3];
  const std::vector<T> x = random_values<T>(xs.numel(), 5),
                       dy = random_values<T>(xs[0] * channels, 6);
  const Shape ys{xs[0], channels};
  std::vector<T> y(static_cast<size_t>(ys.numel()) + 1, T{7}), dx(x.size(), T{7});
  global_avg_pool2d_forward(ctx, view_of(x, xs), view_of(y, ys));
  global_avg_pool2d_backward(ctx, view_of(dy, ys), view_of(dx, xs));
  CHECK(y.back() == T{7});
  CHECK(dx.back() == T{7});
  double worst = 0;
  for (int64_t i = 0; i < ys.numel(); ++i) {
    double sum = 0;
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      const int64_t at = (i / channels * pixels + pixel) * channels + i % channels;
      sum += double(x[static_cast<size_t>(at)]);
      worst = std::max(worst, std::fabs(double(dx[static_cast<size_t>(at)]) -
                                        double(dy[static_cast<size_t>(i)]) / double(pixels)));
    }
    worst = std::max(worst, std::fabs(double(y[static_cast<size_t>(i)]) - sum / double(pixels)));
  }
  CHECK(worst <= std::numeric_limits<T>::epsilon());
}

TEST_CASE("pool2d: global mean") {
  for (int threads : {1, 2})
    for (const Shape& shape : {Shape{2, 8, 8, 64}, Shape{1, 3, 5, 70}, Shape{3, 1, 1, 1},
                               Shape{0, 4, 4, 3}, Shape{70, 16, 16, 130}}) {
      check_global<float>(shape, threads);
      check_global<double>(shape, threads);
    }
}

TEST_CASE("pool2d: errors name the op and the shapes") {
  CpuContext ctx;
  const std::vector<float> values(1000);
  const std::vector<double> wide(1000);
  const std::vector<int32_t> integers(1000);
  const View x = view_of(values, {1, 4, 6, 2}), y = view_of(values, {1, 2, 3, 2});
  const View index = view_of(integers, {1, 2, 3, 2});
  const auto shape = [&](const Pool2dParams& p) { return pool2d_output_shape(x, p); };
  CHECK(shape({.kernel = 2}) == Shape{1, 2, 3, 2});
  CHECK(shape({.kernel = 3, .stride = 1}) == Shape{1, 2, 4, 2});
  CHECK_THROWS_WITH(shape({.kernel = 0}), contains("[pool2d] kernel must be at least 1, got 0"));
  CHECK_THROWS_WITH(shape({.kernel = 2, .stride = -1}), contains("[pool2d] stride"));
  CHECK_THROWS_WITH(shape({.kernel = 2, .padding = 2}),
                    contains("half the kernel, got 2 for kernel 2"));
  CHECK_THROWS_WITH(shape({.kernel = 2, .padding = -1}), contains("[pool2d] padding"));
  CHECK_THROWS_WITH(shape({.kernel = 5}), contains("[pool2d] kernel 5 is larger than the padded"));
  CHECK_THROWS_WITH(pool2d_output_shape(view_of(values, {4, 6, 2}), {}),
                    contains("[pool2d] needs 4 dimensions, got (4, 6, 2)"));
  CHECK_THROWS_WITH(pool2d_output_shape(view_of(values, {1, 0, 6, 2}), {}),
                    contains("[pool2d] empty image"));
  CHECK_THROWS_WITH(pool2d_output_shape(index, {}),
                    contains("[pool2d] needs dtype f32 or f64, got i32"));
  CHECK_THROWS_WITH(pool2d_output_shape({}, {}), contains("[pool2d] undefined argument: x"));

  const std::string wrong = "[pool2d] output shape is (1, 3, 3, 2) but should be (1, 2, 3, 2)";
  const View tall = view_of(values, {1, 3, 3, 2});
  CHECK_THROWS_WITH(max_pool2d_forward(ctx, x, tall, {}, {}), contains(wrong));
  CHECK_THROWS_WITH(max_pool2d_backward(ctx, tall, index, x, {}), contains(wrong));
  CHECK_THROWS_WITH(avg_pool2d_forward(ctx, x, tall, {}), contains(wrong));
  CHECK_THROWS_WITH(avg_pool2d_backward(ctx, tall, x, {}), contains(wrong));
  CHECK_THROWS_WITH(max_pool2d_forward(ctx, x, y, view_of(integers, {1, 2, 3, 1}), {}),
                    contains("[pool2d] index has shape (1, 2, 3, 1)"));
  CHECK_THROWS_WITH(max_pool2d_backward(ctx, y, {}, x, {}),
                    contains("[pool2d] undefined argument: index"));
  CHECK_THROWS_WITH(max_pool2d_forward(ctx, x, y, y, {}),
                    contains("[pool2d] dtype is f32 but should be i32 of index"));
  CHECK_THROWS_WITH(avg_pool2d_forward(ctx, x, view_of(wide, {1, 2, 3, 2}), {}),
                    contains("[pool2d] dtype is f64 but should be f32 of y"));
  CHECK_THROWS_WITH(global_avg_pool2d_forward(ctx, x, view_of(values, {2, 1})),
                    contains("[pool2d] output shape is (2, 1) but should be (1, 2)"));
  View strided = x;
  strided.strides[3] = 2;
  CHECK_THROWS_WITH(global_avg_pool2d_forward(ctx, strided, view_of(values, {1, 2})),
                    contains("[pool2d] not contiguous: x"));
}

}  // namespace
}  // namespace ditto::kernels
