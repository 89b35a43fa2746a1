// Outputs and gradients of the differentiable ops against values of PyTorch in float64, committed
// in tests/reference/op_values.json (made by op_values.py beside it). A case names its op before
// the first slash; the table below says how to call it.
#include <functional>
#include <map>
#include <set>

#include "autograd/ops.h"
#include "losses/cross_entropy.h"
#include "tests/reference/digest.h"
#include "tests/support/catch.h"

namespace ditto {
namespace {

using nlohmann::json;
using testing::digest_error;
using testing::shape_of;
using Call = std::function<Tensor(const Tensors&, const json&)>;

constexpr double kTolerance64 = 1e-10;
// Sums of up to a few dozen products of f32 numbers near 1, each rounded to 6e-8.
constexpr double kTolerance32 = 2e-6;

Call unary(Tensor (*op)(const Tensor&)) {
  return [op](const Tensors& x, const json&) { return op(x[0]); };
}
Call binary(Tensor (*op)(const Tensor&, const Tensor&)) {
  return [op](const Tensors& x, const json&) { return op(x[0], x[1]); };
}
// An op with one tensor and parameters.
Call with(std::function<Tensor(const Tensor&, const json&)> op) {
  return [op](const Tensors& x, const json& p) { return op(x[0], p); };
}

Call cross_entropy_as(losses::Reduction reduction) {
  return [reduction](const Tensors& x, const json& p) {
    return losses::cross_entropy(x[0], x[1],
                                 {.label_smoothing = p["smoothing"], .reduction = reduction});
  };
}

Tensor call_conv2d(const Tensors& x, const json& p) {
  return conv2d(x[0], x[1], x.size() > 2 ? x[2] : Tensor(),
                {p["stride"], p["padding"], p["dilation"], p["groups"]});
}

Tensor call_batch_norm(const Tensors& x, const json& p) {
  return batch_norm(
      x[0], x[1], x[2], x[3], x[4],
      {.eps = p["eps"], .momentum = p["momentum"], .training = p["training"], .relu = p["relu"]},
      x.size() > 5 ? x[5] : Tensor());
}

Pool2dParams pooling(const json& p) {
  return {.kernel = p["kernel"],
          .stride = p["stride"],
          .padding = p["padding"],
          .count_include_pad = p.value("include_pad", true)};
}

Tensor operators(const Tensor& a, const Tensor& b) {
  return (2.0 - a) * (a + 3.0) / b + 1.5 / a - (a - 0.5) * 0.25 + (-b) * (b / 4.0) +
         (1.25 + a) * (3.0 * b);
}

const std::map<std::string, Call>& calls() {
  static const std::map<std::string, Call> table{
      {"neg", unary(neg)},
      {"abs", unary(abs)},
      {"exp", unary(exp)},
      {"log", unary(log)},
      {"sqrt", unary(sqrt)},
      {"rsqrt", unary(rsqrt)},
      {"square", unary(square)},
      {"sin", unary(sin)},
      {"cos", unary(cos)},
      {"tanh", unary(tanh)},
      {"sigmoid", unary(sigmoid)},
      {"softplus", unary(softplus)},
      {"log_sigmoid", unary(log_sigmoid)},
      {"silu", unary(silu)},
      {"gelu", unary(gelu)},
      {"relu", unary(relu)},
      {"add", binary(add)},
      {"sub", binary(sub)},
      {"mul", binary(mul)},
      {"div", binary(div)},
      {"maximum", binary(maximum)},
      {"minimum", binary(minimum)},
      {"pow", binary(pow)},
      {"operators", binary(operators)},
      {"pow_scalar",
       with([](const Tensor& x, const json& p) { return pow(x, p["exponent"].get<double>()); })},
      {"maximum_scalar",
       with([](const Tensor& x, const json& p) { return maximum(x, p["bound"].get<double>()); })},
      {"minimum_scalar",
       with([](const Tensor& x, const json& p) { return minimum(x, p["bound"].get<double>()); })},
      {"clamp", with([](const Tensor& x, const json& p) { return clamp(x, p["low"], p["high"]); })},
      {"leaky_relu",
       with([](const Tensor& x, const json& p) { return leaky_relu(x, p["slope"]); })},
      {"reuse",
       with([](const Tensor& x, const json&) { return sin(x) * x + exp(x) * sum(x, 0) - x; })},
      {"sum", unary(sum)},
      {"mean", unary(mean)},
      {"sum_dim",
       with([](const Tensor& x, const json& p) { return sum(x, p["dim"], p["keepdim"]); })},
      {"mean_dim",
       with([](const Tensor& x, const json& p) { return mean(x, p["dim"], p["keepdim"]); })},
      {"max",
       with([](const Tensor& x, const json& p) { return max(x, p["dim"], p["keepdim"]).values; })},
      {"sum_to",
       with([](const Tensor& x, const json& p) { return sum_to(x, shape_of(p["shape"])); })},
      {"reshape",
       with([](const Tensor& x, const json& p) { return reshape(x, shape_of(p["shape"])); })},
      {"flatten", with([](const Tensor& x, const json& p) { return flatten(x, p["start"]); })},
      {"permute",
       with([](const Tensor& x, const json& p) { return permute(x, shape_of(p["order"])); })},
      {"transpose",
       with([](const Tensor& x, const json& p) { return transpose(x, p["a"], p["b"]); })},
      {"slice", with([](const Tensor& x, const json& p) {
         return slice(x, p["dim"], p["begin"], p["end"], p["step"]);
       })},
      {"concat", [](const Tensors& x, const json& p) { return concat(x, p["dim"]); }},
      {"pad", with([](const Tensor& x, const json& p) {
         return pad(x, shape_of(p["before"]), shape_of(p["after"]), p["value"]);
       })},
      {"broadcast_to",
       with([](const Tensor& x, const json& p) { return broadcast_to(x, shape_of(p["shape"])); })},
      {"clone", unary(clone)},
      {"cast",
       with([](const Tensor& x, const json&) { return cast(cast(x, Dtype::F64), x.dtype()) * x; })},
      {"index_select", binary(index_select)},
      {"matmul", binary(matmul)},
      {"linear", [](const Tensors& x,
                    const json&) { return linear(x[0], x[1], x.size() > 2 ? x[2] : Tensor()); }},
      {"conv2d", call_conv2d},
      {"batch_norm", call_batch_norm},
      {"max_pool2d",
       with([](const Tensor& x, const json& p) { return max_pool2d(x, pooling(p)); })},
      {"avg_pool2d",
       with([](const Tensor& x, const json& p) { return avg_pool2d(x, pooling(p)); })},
      {"global_avg_pool2d", unary(global_avg_pool2d)},
      {"softmax", unary(softmax)},
      {"log_softmax", unary(log_softmax)},
      {"cross_entropy_rows",
       [](const Tensors& x, const json& p) {
         return cross_entropy_rows(x[0], x[1], {.label_smoothing = p["smoothing"]});
       }},
      {"cross_entropy", cross_entropy_as(losses::Reduction::Mean)},
      {"cross_entropy_sum", cross_entropy_as(losses::Reduction::Sum)},
      {"group_kl",
       [](const Tensors& x, const json& p) {
         return group_kl(x[0], x[1], x.size() > 2 ? x[2] : Tensor(),
                         {.anchor_grad = p["anchor_grad"]});
       }},
  };
  return table;
}

const json& reference() {
  static const json file = testing::read_reference("op_values.json");
  return file;
}

std::string op_of(const json& entry) {
  const std::string name = entry["name"];
  return name.substr(0, name.find('/'));
}

Tensor input_of(const json& spec, Dtype dtype) {
  const Shape shape = shape_of(spec["shape"]);
  if (spec.contains("ints")) return Tensor::from(spec["ints"].get<std::vector<int64_t>>(), shape);
  Tensor x = spec.contains("values")
                 ? Tensor::from(spec["values"].get<std::vector<double>>(), shape, dtype)
                 : Tensor::from(
                       testing::hash_values(spec["seed"], shape.numel(), spec["low"], spec["high"]),
                       shape, dtype);
  return x.set_requires_grad(spec["grad"]);
}

void check_close(const Tensor& got, const json& expected, double tolerance) {
  const double error = digest_error(got, expected);
  INFO("error " << error << ", allowed " << tolerance);  // Catch2 prints small doubles as 0.0
  CHECK(error <= tolerance);
}

// Runs one case and compares y, tensors changed in place, and every gradient.
void run_case(const json& entry, Dtype dtype, double tolerance) {
  const auto call = calls().find(op_of(entry));
  REQUIRE(call != calls().end());
  Tensors inputs;
  for (const json& spec : entry["inputs"]) inputs.push_back(input_of(spec, dtype));
  const Tensor y = call->second(inputs, entry["params"]);
  CHECK(y.dtype() == dtype);
  check_close(y, entry["y"], tolerance);
  y.backward(Tensor::from(testing::hash_values(entry["dy_seed"], y.numel()), y.shape(), dtype));
  const json& grads = entry["grads"];
  REQUIRE(grads.size() == inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    INFO("input " << i);
    REQUIRE(inputs[i].grad().defined() == !grads[i].is_null());
    if (!grads[i].is_null()) check_close(inputs[i].grad(), grads[i], tolerance);
  }
  // Batch norm's running statistics, its inputs 3 and 4.
  for (size_t i = 0; i < entry["changed"].size(); ++i) {
    INFO("changed tensor " << i);
    check_close(inputs[3 + i], entry["changed"][i], tolerance);
  }
}

}  // namespace

TEST_CASE("hash values are those of the Python scripts", "[autograd][reference]") {
  const auto expected = reference()["hash"].get<std::vector<double>>();
  REQUIRE(expected.size() == 4);
  for (uint32_t i = 0; i < 4; ++i) CHECK(testing::hash_value(1, i) == expected[i]);
}

TEST_CASE("every op of the table has a case and every case an op", "[autograd][reference]") {
  std::set<std::string> in_table, in_file;
  for (const auto& [op, call] : calls()) in_table.insert(op);
  for (const json& entry : reference()["cases"]) in_file.insert(op_of(entry));
  CHECK(in_table == in_file);
}

TEST_CASE("ops give PyTorch's values and gradients, f64", "[autograd][reference]") {
  for (const json& entry : reference()["cases"]) {
    INFO(entry["name"]);
    run_case(entry, Dtype::F64, kTolerance64);
  }
}

TEST_CASE("ops give PyTorch's values and gradients, f32", "[autograd][reference]") {
  for (const json& entry : reference()["cases"]) {
    INFO(entry["name"]);
    run_case(entry, Dtype::F32, kTolerance32);
  }
}

}  // namespace ditto
