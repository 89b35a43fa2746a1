// Lanes are passed to inlined functions only.
#pragma GCC diagnostic ignored "-Wpsabi"

#include "kernels/lanes.h"

#include <algorithm>
#include <cmath>

#include "tests/support/catch.h"

using namespace ditto::kernels;

TEST_CASE("lanes: e^x and log(1 + x) of eight floats at a time") {
  double exp_error = 0, log_error = 0;
  for (int i = 0; i < 100000; ++i) {
    FloatLanes x{};
    for (int lane = 0; lane < 8; ++lane)
      x[lane] = -87.0f + 1.75e-3f * float(i) + 2e-4f * float(lane);
    const FloatLanes e = bounded_exp(x), small = bounded_exp(x < 0.0f ? x : -x);
    const FloatLanes log = log_of_one_plus(small);
    for (int lane = 0; lane < 8; ++lane) {
      const double exact = std::exp(double(x[lane])), log_exact = std::log1p(double(small[lane]));
      exp_error = std::max(exp_error, std::fabs(e[lane] - exact) / exact);
      log_error = std::max(log_error, std::fabs(log[lane] - log_exact) / log_exact);
    }
  }
  CHECK(exp_error < 1e-7);
  CHECK(log_error < 2e-7);
  FloatLanes ends{};
  ends[1] = 1;
  ends[2] = NAN;
  const FloatLanes log = log_of_one_plus(ends);
  CHECK(log[0] == 0);
  CHECK(log[1] == Approx(std::log(2.0)));
  CHECK(std::isnan(log[2]));
}
