// Distances for tests, in which what is no number is infinitely far from everything: a plain
// std::max(worst, NaN) keeps `worst`.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace ditto::testing {

// |a - b|; 0 between equal infinities, infinite where either is NaN.
inline double distance(double a, double b) {
  if (a == b) return 0;
  const double d = std::fabs(a - b);
  return std::isnan(d) ? INFINITY : d;
}

// The largest distance of two elements; infinite for different sizes.
template <class T>
double max_distance(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return INFINITY;
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, distance(static_cast<double>(a[i]), static_cast<double>(b[i])));
  return worst;
}

// The same in units of the largest finite element of `b`, which counts as at least `floor`.
inline double relative_distance(const std::vector<double>& a, const std::vector<double>& b,
                                double floor = 1e-30) {
  double largest = floor;
  for (const double value : b)
    if (std::isfinite(value)) largest = std::max(largest, std::fabs(value));
  return max_distance(a, b) / largest;
}

}  // namespace ditto::testing
