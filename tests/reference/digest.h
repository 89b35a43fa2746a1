// The digest of an array as tests/reference/hash_values.py writes it, and its comparison with a
// tensor of ours.
#pragma once

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "core/tensor.h"
#include "tests/support/hash_values.h"
#include "tests/support/paths.h"

namespace ditto::testing {

// tests/reference/<name>, parsed.
inline nlohmann::json read_reference(const std::string& name) {
  std::ifstream file(source_path("tests/reference/" + name));
  check(file.good(), "[reference] cannot read", name);
  return nlohmann::json::parse(file);
}

inline Shape shape_of(const nlohmann::json& sizes) {
  Shape shape;
  for (const auto& size : sizes) shape.push_back(size.get<int64_t>());
  return shape;
}

// The largest difference between tensor and digest, relative to the largest magnitude of the
// expected array (an all-zero one is compared absolutely). A dot product of n elements counts per
// sqrt(n): independent errors of its terms grow like that. NaN or another shape gives infinity.
inline double digest_error(const Tensor& tensor, const nlohmann::json& digest) {
  if (!(tensor.shape() == shape_of(digest["shape"]))) return INFINITY;
  const std::vector<double> got = tensor.detach().to_vector<double>();
  const size_t n = got.size();
  double error = 0, largest = 0;
  const auto compare = [&](double a, double b, double scale) {
    error = std::isnan(a) ? INFINITY : std::max(error, std::abs(a - b) / scale);
  };
  if (digest.contains("values")) {
    const auto& values = digest["values"];
    check(values.size() == n, "[reference] digest has", values.size(), "values of", n);
    for (double v : values) largest = std::max(largest, std::abs(v));
    for (size_t i = 0; i < n; ++i) compare(got[i], values[i], 1);
  } else {
    largest = digest["max"];
    double got_largest = 0;
    for (double v : got) got_largest = std::max(got_largest, std::abs(v));
    compare(got_largest, largest, 1);
    const auto& samples = digest["samples"];
    for (size_t i = 0; i < samples.size(); ++i) compare(got[i * n / samples.size()], samples[i], 1);
    uint32_t seed = 0;
    for (double expected : digest["dots"]) {
      double dot = 0;
      for (size_t i = 0; i < n; ++i) dot += got[i] * hash_value(seed, static_cast<uint32_t>(i));
      compare(dot, expected, std::sqrt(static_cast<double>(n)));
      ++seed;
    }
  }
  return largest > 0 ? error / largest : error;
}

}  // namespace ditto::testing
