#include "kernels/conv2d.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/parallel.h"
#include "core/rng.h"
#include "core/storage.h"
#include "kernels/conv2d_reference.h"
#include "tests/support/catch.h"

namespace ditto::kernels {
namespace {

using testing::contains;

// A contiguous array between guard elements that no kernel may touch.
template <class T>
class Array {
 public:
  static constexpr int64_t kGuard = 32;
  static constexpr T kSentinel = T{12345};

  Array() = default;
  explicit Array(const Shape& shape, double fill = std::numeric_limits<double>::quiet_NaN())
      : shape_(shape), values_(static_cast<size_t>(shape.numel() + 2 * kGuard), kSentinel) {
    for (int64_t i = 0; i < shape.numel(); ++i) data()[i] = static_cast<T>(fill);
  }
  static Array random(const Shape& shape, uint64_t seed) {
    Array array(shape);
    Rng rng(seed);
    for (int64_t i = 0; i < shape.numel(); ++i)
      array.data()[i] = static_cast<T>(static_cast<float>(rng.uniform(-1, 1)));
    return array;
  }
  template <class U>
  Array<U> to() const {
    Array<U> out(shape_);
    std::copy_n(data(), shape_.numel(), out.data());
    return out;
  }

  bool defined() const { return !values_.empty(); }
  T* data() { return values_.data() + kGuard; }
  const T* data() const { return values_.data() + kGuard; }
  int64_t numel() const { return shape_.numel(); }
  View view() const {
    if (!defined()) return {};
    return {const_cast<T*>(data()), dtype_of<T>, kCpu, shape_, contiguous_strides(shape_)};
  }
  std::vector<T> values() const {
    return defined() ? std::vector<T>(data(), data() + numel()) : std::vector<T>();
  }
  bool guards_intact() const {
    return !defined() || (std::all_of(values_.begin(), values_.begin() + kGuard, is_sentinel) &&
                          std::all_of(values_.end() - kGuard, values_.end(), is_sentinel));
  }
  double dot(const Array& other) const {
    double sum = 0;
    for (int64_t i = 0; i < numel(); ++i) sum += double(data()[i]) * double(other.data()[i]);
    return sum;
  }

 private:
  static bool is_sentinel(T value) { return value == kSentinel; }
  Shape shape_;
  std::vector<T> values_;
};

struct Case {
  int64_t n, h, w, c, o, kh, kw;
  Conv2dParams p;
  bool bias = true;

  Shape x() const { return {n, h, w, c}; }
  Shape weights() const { return {o, kh, kw, c / p.groups}; }
  int64_t out(int64_t size, int64_t kernel) const {
    return (size + 2 * p.padding - p.dilation * (kernel - 1) - 1) / p.stride + 1;
  }
  Shape y() const { return {n, out(h, kh), out(w, kw), o}; }
  std::string text() const {
    std::string text = "x " + to_string(x()) + " w " + to_string(weights());
    text += " stride, padding, dilation, groups, bias ";
    text += to_string(Shape{p.stride, p.padding, p.dilation, p.groups, bias});
    return text;
  }
};

template <class T>
struct Tensors {
  explicit Tensors(const Case& c, uint64_t seed = 1)
      : x(Array<T>::random(c.x(), seed)),
        w(Array<T>::random(c.weights(), seed + 1)),
        dy(Array<T>::random(c.y(), seed + 2)),
        y(c.y()),
        dx(c.x()),
        dw(c.weights()) {
    if (!c.bias) return;
    bias = Array<T>::random({c.o}, seed + 3);
    dbias = Array<T>(Shape{c.o});
  }
  template <class U>
  Tensors(const Case& c, const Tensors<U>& other) : Tensors(c) {
    x = other.x.template to<T>();
    w = other.w.template to<T>();
    dy = other.dy.template to<T>();
    if (c.bias) bias = other.bias.template to<T>();
  }
  void run(CpuContext ctx, const Conv2dParams& p) {
    conv2d_forward(ctx, x.view(), w.view(), bias.view(), y.view(), p);
    conv2d_backward_data(ctx, dy.view(), w.view(), dx.view(), p);
    conv2d_backward_weights(ctx, dy.view(), x.view(), dw.view(), dbias.view(), p);
  }
  void run_plain(CpuContext ctx, const Conv2dParams& p) {
    conv2d_forward_plain(ctx, x.view(), w.view(), bias.view(), y.view(), p);
    conv2d_backward_data_plain(ctx, dy.view(), w.view(), dx.view(), p);
    conv2d_backward_weights_plain(ctx, dy.view(), x.view(), dw.view(), dbias.view(), p);
  }
  std::vector<std::vector<T>> results() const {
    return {y.values(), dx.values(), dw.values(), dbias.values()};
  }
  bool guards_intact() const {
    for (const Array<T>* array : {&x, &w, &bias, &dy, &y, &dx, &dw, &dbias})
      if (!array->guards_intact()) return false;
    return true;
  }

  Array<T> x, w, bias, dy, y, dx, dw, dbias;
};

// Largest |a - b| in units of eps * sqrt(terms) * scale, where scale is the size of a result: sums
// of `terms` products of numbers in [-1, 1].
template <class T>
double error_units(const Array<T>& a, const Array<double>& b, int64_t terms) {
  const double root = std::sqrt(static_cast<double>(std::max<int64_t>(terms, 1)));
  double scale = root / 3, worst = 0;
  for (int64_t i = 0; i < b.numel(); ++i) scale = std::max(scale, std::fabs(b.data()[i]));
  for (int64_t i = 0; i < b.numel(); ++i) {
    const double difference = std::fabs(double(a.data()[i]) - b.data()[i]);
    if (!(difference <= worst)) worst = difference;  // a NaN sticks
  }
  return worst / (std::numeric_limits<T>::epsilon() * root * scale);
}

// The f32 result, the plain f32 loop and the f64 result agree.
void compare_with_f64(const Case& c, int threads) {
  INFO(c.text() << " threads " << threads);
  const CpuContext ctx{threads};
  Tensors<float> fast(c);
  Tensors<double> truth(c, fast);
  Tensors<float> plain(c, fast);
  fast.run(ctx, c.p);
  truth.run(ctx, c.p);
  plain.run_plain(ctx, c.p);
  CHECK((fast.guards_intact() && truth.guards_intact() && plain.guards_intact()));
  const int64_t taps = c.kh * c.kw, pixels = c.y()[0] * c.y()[1] * c.y()[2];
  for (const auto* result : {&fast, &plain}) {
    CHECK(error_units(result->y, truth.y, taps * c.c / c.p.groups) <= 2);
    CHECK(error_units(result->dx, truth.dx, taps * c.o / c.p.groups) <= 2);
    CHECK(error_units(result->dw, truth.dw, pixels) <= 2);
    if (c.bias) CHECK(error_units(result->dbias, truth.dbias, pixels) <= 2);
  }
}

TEST_CASE("conv2d: f64 is the definition of a convolution") {
  const std::vector<Case> cases = {
      {2, 5, 7, 3, 4, 3, 3, {.stride = 1, .padding = 1}},
      {1, 6, 5, 4, 6, 3, 2, {.stride = 2, .padding = 2, .dilation = 2, .groups = 2}},
      {3, 4, 4, 5, 5, 1, 3, {.stride = 3, .padding = 1, .groups = 5}, false},
  };
  for (const Case& c : cases) {
    INFO(c.text());
    Tensors<double> t(c);
    t.run({2}, c.p);
    const Shape y = c.y();
    const int64_t ci = c.c / c.p.groups, co = c.o / c.p.groups;
    double worst = 0;
    for (int64_t n = 0; n < y[0]; ++n)
      for (int64_t oh = 0; oh < y[1]; ++oh)
        for (int64_t ow = 0; ow < y[2]; ++ow)
          for (int64_t o = 0; o < c.o; ++o) {
            double sum = c.bias ? t.bias.data()[o] : 0;
            for (int64_t kh = 0; kh < c.kh; ++kh)
              for (int64_t kw = 0; kw < c.kw; ++kw)
                for (int64_t i = 0; i < ci; ++i) {
                  const int64_t h = oh * c.p.stride + kh * c.p.dilation - c.p.padding;
                  const int64_t w = ow * c.p.stride + kw * c.p.dilation - c.p.padding;
                  if (h < 0 || h >= c.h || w < 0 || w >= c.w) continue;
                  sum += t.x.data()[((n * c.h + h) * c.w + w) * c.c + o / co * ci + i] *
                         t.w.data()[((o * c.kh + kh) * c.kw + kw) * ci + i];
                }
            const double got = t.y.data()[((n * y[1] + oh) * y[2] + ow) * c.o + o];
            worst = std::max(worst, std::fabs(got - sum));
          }
    CHECK(worst < 1e-13);
  }
}

TEST_CASE("conv2d: the backward passes are adjoint to the forward pass in f64") {
  for (int stride : {1, 2, 3})
    for (int padding : {0, 2})
      for (int dilation : {1, 2})
        for (int groups : {1, 2, 6}) {
          const Case c{2, 9, 8, 6, 12, 3, 2, {stride, padding, dilation, groups}, false};
          INFO(c.text());
          Tensors<double> t(c);
          t.run({2}, c.p);
          const double expected = t.dy.dot(t.y);
          CHECK(t.dx.dot(t.x) == Approx(expected).epsilon(1e-12).margin(1e-12));
          CHECK(t.dw.dot(t.w) == Approx(expected).epsilon(1e-12).margin(1e-12));
        }
  // d (dy . y) / d bias = the sum of dy over images and pixels.
  const Case c{2, 4, 5, 3, 4, 3, 3, {.padding = 1}};
  Tensors<double> t(c);
  t.run({1}, c.p);
  Array<double> shifted = t.y;
  CpuContext ctx;
  for (int64_t o = 0; o < 4; ++o) t.bias.data()[o] += 1;
  conv2d_forward(ctx, t.x.view(), t.w.view(), t.bias.view(), shifted.view(), c.p);
  double sum = 0;
  for (int64_t o = 0; o < 4; ++o) sum += t.dbias.data()[o];
  CHECK(t.dy.dot(shifted) - t.dy.dot(t.y) == Approx(sum).epsilon(1e-10));
}

TEST_CASE("conv2d: f32 agrees with f64 over strides, paddings, kernels and channels") {
  for (int64_t kernel : {1, 3, 5, 7})
    for (int64_t channels : {1, 3, 16, 17, 64})
      for (int stride : {1, 2})
        for (int padding : {0, 1, 2, 3}) {
          if (padding > kernel / 2) continue;
          const int64_t outputs = channels == 64 ? 16 : channels == 16 ? 17 : 16;
          const bool bias = (channels + padding) % 2 == 0;
          const Case c{3, 11, 9, channels, outputs, kernel, kernel, {stride, padding}, bias};
          compare_with_f64(c, 1 + (stride + padding) % 2);
        }
}

TEST_CASE("conv2d: f32 agrees with f64 with dilation, groups and padding beyond the kernel") {
  for (int64_t channels : {2, 16, 34, 64})
    for (int64_t groups : {int64_t{1}, int64_t{2}, channels})
      for (int dilation : {1, 2})
        for (int stride : {1, 2})
          for (int64_t kernel : {3, 5}) {
            const Case c{
                1,          12,     13,     channels,
                channels,   kernel, kernel, {stride, 2, dilation, static_cast<int>(groups)},
                groups == 1};
            compare_with_f64(c, 2);
          }
  compare_with_f64({2, 5, 5, 3, 4, 1, 1, {.padding = 3}}, 2);  // outputs that see no input
  compare_with_f64({2, 6, 4, 8, 24, 3, 3, {.padding = 1, .groups = 8}}, 2);  // 3 outputs a group
  compare_with_f64({1, 1, 1, 1, 1, 1, 1, {}}, 2);
  compare_with_f64({2, 8, 3, 4, 4, 5, 1, {.padding = 0}}, 2);  // kernels that are not square
  compare_with_f64({2, 3, 8, 20, 36, 1, 3, {.stride = 2, .padding = 1}}, 2);
}

TEST_CASE("conv2d: f32 agrees with f64 on the shapes of ResNet-20 and on random ones") {
  for (const Case& c : std::vector<Case>{
           {4, 32, 32, 1, 16, 3, 3, {.padding = 1}, false},
           {4, 32, 32, 3, 16, 3, 3, {.padding = 1}, false},
           {4, 32, 32, 16, 16, 3, 3, {.padding = 1}, false},
           {4, 32, 32, 16, 32, 3, 3, {.stride = 2, .padding = 1}, false},
           {4, 16, 16, 32, 32, 3, 3, {.padding = 1}, false},
           {4, 16, 16, 32, 64, 3, 3, {.stride = 2, .padding = 1}, false},
           {4, 8, 8, 64, 64, 3, 3, {.padding = 1}, false},
       })
    for (int threads : {1, 2, 3}) compare_with_f64(c, threads);

  Rng rng(20);
  for (int count = 0; count < 60;) {
    const int groups = rng.chance(0.3) ? 1 + static_cast<int>(rng.below(4)) : 1;
    const auto size = [&](uint64_t limit) { return 1 + static_cast<int64_t>(rng.below(limit)); };
    const Case c{size(4),
                 size(20),
                 size(20),
                 groups * size(36),
                 groups * size(36),
                 size(5),
                 size(5),
                 {static_cast<int>(size(3)), static_cast<int>(rng.below(4)),
                  static_cast<int>(size(3)), groups},
                 rng.chance(0.5)};
    if (c.p.dilation * (c.kh - 1) >= c.h + 2 * c.p.padding ||
        c.p.dilation * (c.kw - 1) >= c.w + 2 * c.p.padding)
      continue;
    compare_with_f64(c, static_cast<int>(size(3)));
    ++count;
  }
}

TEST_CASE("conv2d: no images give empty images and zero weight gradients") {
  const Case c{0, 6, 6, 3, 4, 3, 3, {.padding = 1}};
  Tensors<float> single(c);
  Tensors<double> precise(c);
  single.run({2}, c.p);
  precise.run({2}, c.p);
  CHECK(single.dw.values() == std::vector<float>(4 * 9 * 3, 0.0f));
  CHECK(single.dbias.values() == std::vector<float>(4, 0.0f));
  CHECK(precise.dw.values() == std::vector<double>(4 * 9 * 3, 0.0));
  CHECK(precise.dbias.values() == std::vector<double>(4, 0.0));
  CHECK(conv2d_output_shape(single.x.view(), single.w.view(), single.bias.view(), c.p) ==
        Shape{0, 6, 6, 4});
}

TEST_CASE("conv2d: repeated and evicted calls give the same bits") {
  const Case c{3, 13, 11, 17, 33, 3, 3, {.stride = 2, .padding = 1}};
  Tensors<float> first(c);
  first.run({2}, c.p);
  Tensors<float> second(c, first);
  second.run({2}, c.p);
  CHECK(second.results() == first.results());
#ifndef __SANITIZE_ADDRESS__  // there, every block is its own system allocation
  const int64_t allocations = memory_stats().system_allocations;
  second.run({2}, c.p);
  CHECK(memory_stats().system_allocations == allocations);
#endif

  // More shapes than the cache of compiled operations holds, each used once.
  int wrong = 0;
  CpuContext ctx;
  for (int64_t width = 1; width <= 600; ++width) {
    const Case other{1, 1, width, 2, 2, 1, 1, {}, false};
    Tensors<float> t(other, static_cast<uint64_t>(width));
    conv2d_forward(ctx, t.x.view(), t.w.view(), {}, t.y.view(), other.p);
    const float *x = t.x.data() + 2 * (width - 1), *w = t.w.data();
    const float expected = x[0] * w[2] + x[1] * w[3];
    wrong += !(std::fabs(t.y.data()[2 * width - 1] - expected) < 1e-6f);
  }
  CHECK(wrong == 0);
  Tensors<float> third(c, first);
  third.run({2}, c.p);
  CHECK(third.results() == first.results());
}

TEST_CASE("conv2d: the plain loops do not depend on the number of threads") {
  const Case c{3, 9, 8, 6, 10, 3, 3, {.stride = 2, .padding = 1, .groups = 2}};
  Tensors<double> one(c);
  Tensors<double> three(c, one);
  one.run({1}, c.p);
  three.run({3}, c.p);
  CHECK(one.results() == three.results());
}

TEST_CASE("conv2d: threads that convolve at the same time do not disturb each other") {
  const std::vector<Case> cases = {
      {4, 16, 16, 16, 16, 3, 3, {.padding = 1}},
      {2, 15, 9, 17, 8, 3, 3, {.stride = 2, .padding = 1}},
      {2, 8, 8, 12, 12, 5, 5, {.padding = 2, .groups = 12}, false},
  };
  for (int threads : {1, 2}) {
    std::vector<std::vector<std::vector<float>>> expected;
    for (const Case& c : cases) {
      Tensors<float> t(c);
      t.run({threads}, c.p);
      expected.push_back(t.results());
    }
    std::vector<int> wrong(3, 0);
    std::vector<std::thread> workers;
    for (size_t worker = 0; worker < wrong.size(); ++worker)
      workers.emplace_back([&, worker] {
        for (size_t repeat = 0; repeat < 30; ++repeat) {
          const size_t which = (worker + repeat) % cases.size();
          Tensors<float> t(cases[which]);
          t.run({threads}, cases[which].p);
          wrong[worker] += t.results() != expected[which];
        }
      });
    for (std::thread& worker : workers) worker.join();
    CHECK(wrong == std::vector<int>(3, 0));
  }
}

TEST_CASE("conv2d: works inside a parallel region, with one thread each") {
  const Case c{2, 10, 10, 16, 16, 3, 3, {.padding = 1}};
  Tensors<float> expected(c);
  expected.run({1}, c.p);
  std::vector<int> wrong(4, 0);
  parallel_for(CpuContext{4}, 4, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Tensors<float> t(c);
      t.run({2}, c.p);
      // Without OpenMP the loop is no parallel region, but then one thread is all there is.
      wrong[static_cast<size_t>(i)] = t.results() != expected.results();
    }
  });
  CHECK(wrong == std::vector<int>(4, 0));
}

TEST_CASE("conv2d: errors name the op and the values") {
  CpuContext ctx;
  const Array<float> x({2, 5, 6, 4}, 0), w({6, 3, 3, 4}, 0), bias({6}, 0), y({2, 5, 6, 6}, 0);
  const auto shape = [&](const View& x, const View& w, const Conv2dParams& p) {
    return conv2d_output_shape(x, w, {}, p);
  };
  CHECK(shape(x.view(), w.view(), {.padding = 1}) == Shape{2, 5, 6, 6});
  CHECK(shape(x.view(), w.view(), {.stride = 2, .padding = 1}) == Shape{2, 3, 3, 6});

  CHECK_THROWS_WITH(shape(x.view(), w.view(), {.stride = 0}), contains("[conv2d] stride"));
  CHECK_THROWS_WITH(shape(x.view(), w.view(), {.stride = -1}), contains("got -1"));
  CHECK_THROWS_WITH(shape(x.view(), w.view(), {.padding = -1}), contains("[conv2d] padding"));
  CHECK_THROWS_WITH(shape(x.view(), w.view(), {.dilation = 0}), contains("[conv2d] dilation"));
  CHECK_THROWS_WITH(shape(x.view(), w.view(), {.groups = 0}), contains("[conv2d] groups"));
  CHECK_THROWS_WITH(shape(x.view(), w.view(), {.groups = 3}),
                    contains("[conv2d] groups do not divide the input channels: 3 and 4"));
  CHECK_THROWS_WITH(shape(x.view(), Array<float>({5, 3, 3, 2}).view(), {.groups = 2}),
                    contains("[conv2d] groups do not divide the output channels: 2 and 5"));
  CHECK_THROWS_WITH(shape(x.view(), w.view(), {.groups = 2}),
                    contains("[conv2d] weight channels do not match the input"));
  CHECK_THROWS_WITH(shape(x.view(), w.view(), {.dilation = 3}),
                    contains("[conv2d] the kernel reaches over 7 pixels"));
  CHECK_THROWS_WITH(shape(x.view(), Array<float>({6, 3, 3}).view(), {}),
                    contains("[conv2d] needs 4 dimensions, got (6, 3, 3)"));
  CHECK_THROWS_WITH(shape(x.view(), Array<double>({6, 3, 3, 4}).view(), {}),
                    contains("[conv2d] dtypes differ: f32 and f64"));
  CHECK_THROWS_WITH(shape(Array<int32_t>({2, 5, 6, 4}, 0).view(), w.view(), {}),
                    contains("[conv2d] needs dtype f32 or f64, got i32"));
  CHECK_THROWS_WITH(shape(x.view(), Array<float>({0, 3, 3, 4}).view(), {}),
                    contains("[conv2d] empty kernel"));
  CHECK_THROWS_WITH(shape(Array<float>({2, 0, 6, 4}).view(), w.view(), {.padding = 2}),
                    contains("[conv2d] empty image"));
  CHECK_THROWS_WITH(shape({}, w.view(), {}), contains("[conv2d] undefined argument: x"));
  CHECK_THROWS_WITH(
      conv2d_output_shape(x.view(), w.view(), Array<float>({5}).view(), {.padding = 1}),
      contains("[conv2d] bias does not match the output channels: (5) and 6"));
  View strided = x.view();
  strided.strides[3] = 2;
  CHECK_THROWS_WITH(shape(strided, w.view(), {}), contains("[conv2d] not contiguous: x"));

  const Array<float> small({2, 3, 4, 6}, 0);
  const std::string expected = "[conv2d] output shape is (2, 3, 4, 6) but should be (2, 5, 6, 6)";
  const Conv2dParams same{.padding = 1};
  CHECK_THROWS_WITH(conv2d_forward(ctx, x.view(), w.view(), bias.view(), small.view(), same),
                    contains(expected));
  CHECK_THROWS_WITH(conv2d_backward_data(ctx, small.view(), w.view(), x.view(), same),
                    contains(expected));
  CHECK_THROWS_WITH(
      conv2d_backward_weights(ctx, small.view(), x.view(), w.view(), bias.view(), same),
      contains(expected));
  CHECK_THROWS_WITH(conv2d_forward(ctx, x.view(), w.view(), bias.view(), {}, same),
                    contains("[conv2d] undefined argument: y"));
}

}  // namespace
}  // namespace ditto::kernels
