#include "autograd/ops.h"
#include "tests/conformance/row.h"

namespace ditto::testing {
namespace {

// The domain on which a function of UnaryMath is smooth and finite.
Input domain_of(const std::string& name) {
  Input input{{3, 5}};
  input.low = -2;
  input.high = 2;
  if (name == "log" || name == "sqrt" || name == "rsqrt") input.low = 0.2;
  if (name == "acos") input.low = -0.9, input.high = 0.9;
  if (name == "relu" || name == "abs") input.avoid = true;
  return input;
}

template <class... Ops>
void add_unary(std::vector<Row>& rows, TypeList<Ops...>) {
  (rows.push_back({.name = Ops::name,
                   .inputs = {domain_of(Ops::name)},
                   .f = [](const Tensors& in) { return apply<Unary<Ops>>({in[0]}); },
                   .empty_dim = 0}),
   ...);
}

Row binary(const std::string& name, Tensor (*f)(const Tensor&, const Tensor&), Input a, Input b) {
  return {.name = name + " " + to_string(a.shape) + to_string(b.shape),
          .inputs = {a, b},
          .f = [f](const Tensors& in) { return f(in[0], in[1]); }};
}

}  // namespace

std::vector<Row> elementwise_rows() {
  std::vector<Row> rows;
  add_unary(rows, UnaryMath{});

  const Input any{{4, 3}}, row{{3}}, column{{4, 1}}, scalar{{}};
  for (const Input& other : {any, row, column, scalar, Input{{2, 4, 3}}}) {
    rows.push_back(binary("add", &add, any, other));
    rows.push_back(binary("sub", &sub, any, other));
    rows.push_back(binary("mul", &mul, other, any));
  }
  const Input positive{{4, 3}, 0.5, 2};
  rows.push_back(binary("div", &div, any, positive));
  rows.push_back(binary("div", &div, row, positive));
  rows.push_back(binary("pow", &pow, positive, any));
  // Kinks where the arguments meet: the ranges overlap, the values do not.
  rows.push_back(binary("maximum", &maximum, Input{{4, 3}, -1, 1}, Input{{4, 3}, -1, 1}));
  rows.push_back(binary("minimum", &minimum, Input{{4, 3}, -1, 1}, Input{{3}, -1, 1}));
  rows.push_back({.name = "leaky_relu",
                  .inputs = {Input{.shape = {4, 3}, .avoid = true}},
                  .f = [](const Tensors& in) { return leaky_relu(in[0], 0.2); }});
  rows.push_back(binary("greater", &greater, Input{{4, 3}, -1, 1}, Input{{3}, -1, 1}));
  rows.push_back({.name = "clamp",
                  .inputs = {Input{.shape = {4, 3}, .low = -0.9, .high = 0.9}},
                  .f = [](const Tensors& in) { return clamp(in[0], -0.95, 0.95); },
                  .tags = {"maximum"}});
  rows.push_back({.name = "scalar arithmetic",
                  .inputs = {Input{.shape = {5}, .low = 0.5, .high = 2}},
                  .f =
                      [](const Tensors& in) {
                        return 2.0 / (1.0 - (in[0] * 3.0 + 1.0) / 4.0 - 5.0) + pow(in[0], 3.0);
                      },
                  .tags = {"mul", "pow"}});
  rows.push_back({.name = "same tensor twice",
                  .inputs = {Input{.shape = {4, 3}}},
                  .f = [](const Tensors& in) { return in[0] * in[0] + in[0]; },
                  .tags = {"mul"}});
  return rows;
}

}  // namespace ditto::testing
