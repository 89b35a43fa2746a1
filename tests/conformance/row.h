// The conformance suite: one row per differentiable op; every row runs through every check of
// conformance_test.cpp.
//
// To add an op, add a row to a rows_*.cpp file. completeness_test.cpp fails while an op of the
// library has none.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace ditto::testing {

struct Input {
  Shape shape;
  double low = -1, high = 1;  // values are drawn uniformly from here: the op's safe domain
  double away_from =
      0;  // values closer than 0.05 to this are moved away (kinks); only where `avoid` is set
  bool avoid = false;
  bool differentiable = true;
  std::vector<int64_t> indices = {};  // given: an i64 tensor of these instead of random values

  // Integer input, e.g. labels or group ids.
  static Input labels(std::vector<int64_t> values) {
    Input input;
    input.shape = {static_cast<int64_t>(values.size())};
    input.differentiable = false;
    input.indices = std::move(values);
    return input;
  }
  static Input constant(const Shape& shape, double low, double high) {
    Input input;
    input.shape = shape;
    input.low = low;
    input.high = high;
    input.differentiable = false;
    return input;
  }
};

struct Row {
  std::string name;
  std::vector<Input> inputs;
  // Works for f32 and f64 inputs alike.
  std::function<Tensor(const Tensors&)> f;
  // |f32 - f64| <= f32_tolerance * max|f64|, for values and gradients.
  double f32_tolerance = 2e-6;
  // Dimension that may have size 0 in all differentiable inputs (the batch), or -1.
  int empty_dim = -1;
  // False where the values come from libraries that split work by thread (oneDNN).
  bool same_for_any_thread_count = true;
  // True for ops that only move elements: they take u8 as well.
  bool any_dtype = false;
  // Ops that may complain about a wrong dtype; empty: the first word of the name.
  std::vector<std::string> tags = {};
};

std::vector<Row> elementwise_rows();
std::vector<Row> shape_rows();
std::vector<Row> nn_rows();
std::vector<Row> loss_rows();
std::vector<Row> pair_loss_rows();
std::vector<Row> classification_rows();
inline std::vector<Row> all_rows() {
  std::vector<Row> all;
  for (auto rows : {elementwise_rows(), shape_rows(), nn_rows(), loss_rows(), pair_loss_rows(),
                    classification_rows()})
    all.insert(all.end(), rows.begin(), rows.end());
  return all;
}

// The row's inputs as fresh leaves of `dtype` on `device`, from a fixed stream.
Tensors make_inputs(const Row& row, Dtype dtype, Device device = kCpu);

}  // namespace ditto::testing
