#include "kernels/matmul.h"

#include <cmath>
#include <limits>
#include <thread>
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
  for (T& value : values) value = static_cast<T>(rng.uniform(-1, 1));
  return values;
}

// Compares with the definition, and checks that nothing is written past the end of C.
template <class T>
void compare(int64_t m, int64_t n, int64_t k, const MatmulParams& p, int threads) {
  INFO(to_string(dtype_of<T>) << " m " << m << " n " << n << " k " << k << " transposed "
                              << p.transpose_a << p.transpose_b << " alpha " << p.alpha << " beta "
                              << p.beta << " threads " << threads);
  const std::vector<T> a = random_values<T>(m * k, 1), b = random_values<T>(k * n, 2);
  const std::vector<T> before = random_values<T>(m * n, 3);
  std::vector<T> c = before;
  if (p.beta == 0) std::fill(c.begin(), c.end() - 1, std::numeric_limits<T>::quiet_NaN());
  CpuContext ctx{threads};
  matmul(ctx, view_of(a, p.transpose_a ? Shape{k, m} : Shape{m, k}),
         view_of(b, p.transpose_b ? Shape{n, k} : Shape{k, n}), view_of(c, {m, n}), p);
  CHECK(c.back() == before.back());
  double worst = 0;
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t l = 0; l < k; ++l)
        sum += double(a[static_cast<size_t>(p.transpose_a ? l * m + i : i * k + l)]) *
               double(b[static_cast<size_t>(p.transpose_b ? j * k + l : l * n + j)]);
      const size_t at = static_cast<size_t>(i * n + j);
      const double expected = p.alpha * sum + (p.beta == 0 ? 0 : p.beta * double(before[at]));
      const double difference = std::fabs(double(c[at]) - expected);
      if (!(difference <= worst)) worst = difference;
    }
  CHECK(worst <= 4 * std::numeric_limits<T>::epsilon() * double(k + 1));
}

TEST_CASE("matmul: all transposes, scales and odd sizes") {
  for (bool ta : {false, true})
    for (bool tb : {false, true})
      for (double alpha : {1.0, -0.5, 0.0})
        for (double beta : {0.0, 1.0, 0.25})
          for (auto [m, n, k] : std::vector<std::array<int64_t, 3>>{
                   {1, 1, 1}, {5, 7, 3}, {4, 8, 16}, {17, 1, 9}, {1, 19, 33}, {33, 10, 64}}) {
            compare<double>(m, n, k, {ta, tb, alpha, beta}, 2);
            compare<float>(m, n, k, {ta, tb, alpha, beta}, 2);
          }
}

TEST_CASE("matmul: large enough for several threads") {
  for (bool ta : {false, true})
    for (bool tb : {false, true})
      for (int threads : {1, 2, 3}) {
        compare<double>(70, 65, 130, {ta, tb, 1, 0.5}, threads);
        compare<float>(130, 65, 270, {ta, tb, 1, 0.5}, threads);
      }
}

TEST_CASE("matmul: empty sizes") {
  for (double beta : {0.0, 2.0}) {
    compare<double>(3, 2, 0, {.beta = beta}, 2);
    compare<float>(3, 2, 0, {.beta = beta}, 2);
    compare<float>(0, 2, 3, {.beta = beta}, 2);
    compare<float>(3, 0, 2, {.transpose_b = true, .beta = beta}, 2);
    compare<double>(0, 0, 0, {.beta = beta}, 2);
  }
}

TEST_CASE("matmul: repeated calls give the same bits, f64 for any number of threads") {
  const std::vector<float> a = random_values<float>(90 * 200, 1),
                           b = random_values<float>(200 * 50, 2);
  const std::vector<double> wide_a(a.begin(), a.end()), wide_b(b.begin(), b.end());
  std::vector<std::vector<float>> single;
  std::vector<std::vector<double>> wide;
  for (int threads : {2, 2, 1}) {
    CpuContext ctx{threads};
    std::vector<float> c(90 * 50);
    std::vector<double> wide_c(90 * 50);
    matmul(ctx, view_of(a, {90, 200}), view_of(b, {200, 50}), view_of(c, {90, 50}), {});
    matmul(ctx, view_of(wide_a, {90, 200}), view_of(wide_b, {200, 50}), view_of(wide_c, {90, 50}),
           {});
    single.push_back(c);
    wide.push_back(wide_c);
  }
  CHECK(single[0] == single[1]);
  CHECK(wide[0] == wide[1]);
  CHECK(wide[0] == wide[2]);
}

TEST_CASE("matmul: threads that multiply at the same time do not disturb each other") {
  const std::vector<float> a = random_values<float>(64 * 64, 1),
                           b = random_values<float>(64 * 64, 2);
  const auto product = [&] {
    CpuContext ctx{2};
    std::vector<float> c(64 * 64);
    matmul(ctx, view_of(a, {64, 64}), view_of(b, {64, 64}), view_of(c, {64, 64}), {});
    return c;
  };
  const std::vector<float> expected = product();
  std::vector<int> wrong(2, 0);
  std::vector<std::thread> workers;
  for (int& count : wrong)
    workers.emplace_back([&] {
      for (int i = 0; i < 50; ++i) count += product() != expected;
    });
  for (std::thread& worker : workers) worker.join();
  CHECK(wrong == std::vector<int>(2, 0));
}

TEST_CASE("matmul: errors name the op and the shapes") {
  CpuContext ctx;
  const std::vector<float> values(64);
  const std::vector<double> wide(64);
  const View a = view_of(values, {2, 3}), b = view_of(values, {3, 4}), c = view_of(values, {2, 4});
  CHECK_THROWS_WITH(matmul(ctx, a, view_of(values, {4, 3}), c, {}),
                    contains("[matmul] inner sizes differ: A (2, 3) and B (4, 3)"));
  CHECK_THROWS_WITH(matmul(ctx, a, b, c, {.transpose_a = true}),
                    contains("[matmul] inner sizes differ: A (2, 3) transposed"));
  CHECK_THROWS_WITH(matmul(ctx, a, b, view_of(values, {4, 2}), {}),
                    contains("[matmul] C has shape (4, 2) but should have (2, 4)"));
  CHECK_THROWS_WITH(matmul(ctx, a, view_of(wide, {3, 4}), c, {}),
                    contains("[matmul] dtypes differ: f32 and f64"));
  CHECK_THROWS_WITH(matmul(ctx, a, view_of(values, {3}), c, {}),
                    contains("[matmul] needs 2 dimensions, got (3)"));
  CHECK_THROWS_WITH(matmul(ctx, {}, b, c, {}), contains("[matmul] undefined argument"));
  View strided = b;
  strided.strides = {1, 3};
  CHECK_THROWS_WITH(matmul(ctx, a, strided, c, {}), contains("[matmul] not contiguous"));
  const std::vector<int32_t> integers(64);
  CHECK_THROWS_WITH(matmul(ctx, view_of(integers, {2, 3}), b, c, {}),
                    contains("[matmul] needs dtype f32 or f64, got i32"));
}

}  // namespace
}  // namespace ditto::kernels
