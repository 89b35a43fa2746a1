#include "autograd/ops.h"
#include "autograd/recompute.h"
#include "tests/conformance/row.h"

namespace ditto::testing {

std::vector<Row> shape_rows() {
  const Input x{{2, 3, 4}};
  std::vector<Row> rows;
  const auto add = [&](const std::string& name, std::vector<Input> inputs, auto f,
                       int empty_dim = -1) {
    rows.push_back({.name = name, .inputs = std::move(inputs), .f = f, .empty_dim = empty_dim});
    for (const char* mover : {"permute", "transpose", "slice", "pad", "broadcast_to", "clone"})
      rows.back().any_dtype |= name.rfind(mover, 0) == 0;
    rows.back().any_dtype |= name == "concat with itself" || name == "index_select";
    // These square the result, so that their gradient depends on the values.
    if (name == "reshape" || name == "flatten") rows.back().tags = {"square"};
    if (name == "recompute") rows.back().tags = {"mul"};
    if (name == "sum_to") rows.back().tags = {"sum"};
    if (name == "cast there and back") rows.back().any_dtype = true;
  };
  add("reshape", {x}, [](const Tensors& in) { return square(reshape(in[0], {6, -1})); });
  add("recompute", {x, x}, [](const Tensors& in) {
    return recompute([](const Tensors& given) { return square(given[0] * given[1]); }, in);
  });
  add("flatten", {x}, [](const Tensors& in) { return square(flatten(in[0])); });
  add(
      "permute", {x},
      [](const Tensors& in) {
        return permute(in[0], {2, 0, 1});
      },
      0);
  add(
      "transpose", {x}, [](const Tensors& in) { return transpose(in[0], 0, -1); }, 0);
  add(
      "slice", {x}, [](const Tensors& in) { return slice(in[0], 2, 1, 4, 2); }, 0);
  add("slice empty", {x}, [](const Tensors& in) {
    return concat({slice(in[0], 1, 2, 2), slice(in[0], 1, 0, 2)}, 1);
  });
  add(
      "concat", {x, Input{{2, 1, 4}}, x},
      [](const Tensors& in) {
        return concat({in[0], in[1], in[2]}, 1);
      },
      0);
  add("concat with itself", {x}, [](const Tensors& in) { return concat({in[0], in[0]}, -1); });
  add(
      "pad", {x},
      [](const Tensors& in) {
        return pad(in[0], {0, 1, 2}, {1, 0, 3}, 0.5);
      },
      0);
  add("broadcast_to", {Input{{3, 1}}}, [](const Tensors& in) {
    return broadcast_to(in[0], {2, 3, 4});
  });
  add(
      "clone", {x}, [](const Tensors& in) { return clone(in[0]); }, 0);
  add("cast there and back", {x},
      [](const Tensors& in) { return cast(square(cast(in[0], Dtype::F64)), in[0].dtype()); });
  add(
      "sum", {x}, [](const Tensors& in) { return sum(in[0]); }, 0);
  add("mean", {x}, [](const Tensors& in) { return mean(in[0]); });
  for (int dim : {0, 1, 2}) {
    const std::string along = " dim " + std::to_string(dim);
    add(
        "sum" + along, {x}, [=](const Tensors& in) { return sum(in[0], dim); }, 0);
    add("mean keepdim" + along, {x}, [=](const Tensors& in) { return mean(in[0], dim, true); });
    add("max" + along, {x}, [=](const Tensors& in) { return max(in[0], dim).values; });
  }
  add("sum empty inner", {Input{{3, 0}}}, [](const Tensors& in) { return sum(in[0], 0); });
  add("add empty", {Input{{3, 0}}, Input{{1, 0}}}, [](const Tensors& in) { return in[0] + in[1]; });
  add("sum_to", {x}, [](const Tensors& in) { return sum_to(in[0], {3, 1}); });
  add("pick_label", {Input{{4, 3}}, Input::labels({2, -1, 0, 2})},
      [](const Tensors& in) { return pick_label(in[0], in[1], -1); });
  add("put_label", {Input{{4, 3}}, Input::labels({2, -1, 0, 2}), Input{{4}}},
      [](const Tensors& in) { return put_label(square(in[0]), in[1], in[2], 3, -1); });
  rows.back().tags = {"put_label", "square"};
  add("index_select", {x, Input::labels({1, 0, 1, 1})},
      [](const Tensors& in) { return index_select(in[0], in[1]); });
  return rows;
}

}  // namespace ditto::testing
