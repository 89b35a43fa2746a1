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
Tensor shared_features(Dtype dtype) {
  return matrix({{1, .5}, {-.4, 1.2}, {.3, -.9}, {-1, .2}}, dtype);
}
Tensor shared_weights(Dtype dtype) { return matrix({{.8, .1}, {-.2, .9}, {.1, -.7}}, dtype); }
Tensor shared_norm3(Dtype dtype) {
  return matrix({{1, 2, 2}, {2, 1, 2}, {2, 2, 1}, {1, -2, 2}, {-2, 1, 2}, {2, -1, -2}}, dtype);
}
Tensor shared_unit_rows(Dtype dtype) {
  std::vector<double> rows = shared_norm3(Dtype::F64).to_vector<double>();
  for (double& v : rows) v /= 3;
  return Tensor::from(rows, {6, 3}, dtype);
}
Tensor shared_points(Dtype dtype) {
  return matrix({{0, .1}, {.2, 0}, {1, 1.1}, {1.3, .9}, {.1, .5}, {.95, .4}}, dtype);
}
Tensor shared_scores(Dtype dtype) {
  return matrix({{.9, .1, -.2}, {.3, .6, 0}, {-.5, .2, .4}}, dtype);
}
Tensor labels_of(const std::vector<int64_t>& values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())});
}

std::vector<double> expected_values(const std::string& family, int index) {
  std::vector<double> values;
  flatten(vectors().at(family).at(static_cast<size_t>(index))[1], values);
  return values;
}

void check_values(const std::string& family, int index, const Tensor& actual,
                  double f32_tolerance) {
  const auto& entry = vectors().at(family).at(static_cast<size_t>(index));
  INFO(family << ": " << entry[0].get<std::string>() << ", " << to_string(actual));
  const std::vector<double> expected = expected_values(family, index);
  const auto values = actual.detach().to_vector<double>();
  REQUIRE(values.size() == expected.size());
  double largest = 0;
  for (double v : expected) largest = std::isnan(v) ? largest : std::max(largest, std::fabs(v));
  const double tolerance = actual.dtype() == Dtype::F64 ? 1e-9 : f32_tolerance;
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(expected[i])) continue;
    INFO("element " << i << ": " << values[i] << ", expected " << expected[i]);
    CHECK(std::fabs(values[i] - expected[i]) <= tolerance * std::max(largest, 1e-3));
  }
}

void check_vector(const std::string& family, int loss, int gradient, const Tensor& x,
                  const std::function<Tensor(const Tensor&)>& f, double f32_tolerance) {
  Tensor z = x.detach().clone();
  z.set_requires_grad(true);
  const Tensor value = f(z);
  if (loss >= 0) check_values(family, loss, value, f32_tolerance);
  value.backward();
  if (gradient >= 0) check_values(family, gradient, z.grad(), f32_tolerance);
}

void check_vector(const std::string& family, int loss, int gradient, Dtype dtype,
                  const std::function<Tensor(const Tensor&)>& f) {
  check_vector(family, loss, gradient, shared_logits(dtype), f);
}

}  // namespace ditto::testing
