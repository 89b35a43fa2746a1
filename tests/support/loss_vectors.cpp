#include "tests/support/loss_vectors.h"

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/paths.h"

namespace ditto::testing {
namespace {

const nlohmann::json& vectors() {
  static const nlohmann::json all = [] {
    const std::string path = source_path("tests/reference/loss_vectors.json");
    std::ifstream file(path);
    INFO("reading " << path);
    REQUIRE(file.good());
    return nlohmann::json::parse(file);
  }();
  return all;
}

void flatten(const nlohmann::json& value, std::vector<double>& out) {
  if (value.is_array())
    for (const auto& item : value) flatten(item, out);
  else
    out.push_back(value.is_null() ? NAN : value.get<double>());
}

}  // namespace

Tensor matrix(const std::vector<std::vector<double>>& rows, Dtype dtype) {
  std::vector<double> flat;
  for (const auto& row : rows) flat.insert(flat.end(), row.begin(), row.end());
  return Tensor::from(
      flat, {static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows[0].size())}, dtype);
}

Tensor shared_logits(Dtype dtype) {
  return matrix({{1, -.5, .25}, {.2, .8, -1.1}, {-.3, .4, 1.5}, {2, -1, .5}}, dtype);
}

void check_values(const std::string& family, int index, const Tensor& actual) {
  const auto& entry = vectors().at(family).at(static_cast<size_t>(index));
  INFO(family << ": " << entry[0].get<std::string>() << ", " << to_string(actual));
  std::vector<double> expected;
  flatten(entry[1], expected);
  const auto values = actual.detach().to_vector<double>();
  REQUIRE(values.size() == expected.size());
  double largest = 0;
  for (double v : expected) largest = std::max(largest, std::fabs(v));
  const double tolerance = actual.dtype() == Dtype::F64 ? 1e-9 : 1e-5;
  for (size_t i = 0; i < values.size(); ++i) {
    INFO("element " << i << ": " << values[i] << ", expected " << expected[i]);
    CHECK(std::fabs(values[i] - expected[i]) <= tolerance * std::max(largest, 1e-3));
  }
}

void check_vector(const std::string& family, int loss, int gradient, Dtype dtype,
                  const std::function<Tensor(const Tensor&)>& f) {
  Tensor z = shared_logits(dtype);
  z.set_requires_grad(true);
  const Tensor value = f(z);
  check_values(family, loss, value);
  value.backward();
  check_values(family, gradient, z.grad());
}

}  // namespace ditto::testing
