#include "tests/conformance/run_row.h"

#include "tests/support/distance.h"

#include <cmath>
#include <cstring>

#include "autograd/ops.h"
#include "core/rng.h"

namespace ditto::testing {

Tensors make_inputs(const Row& row, Dtype dtype, Device device) {
  Tensors out;
  uint64_t stream = 0;
  for (const Input& input : row.inputs) {
    Rng rng(1, Purpose::User, stream++);
    if (!input.indices.empty()) {
      out.push_back(Tensor::from(input.indices, input.shape).to(device));
      continue;
    }
    std::vector<float> values(static_cast<size_t>(input.shape.numel()));
    for (float& v : values) {
      v = static_cast<float>(rng.uniform(input.low, input.high));
      if (input.avoid && std::fabs(v - input.away_from) < 0.05)
        v += v < input.away_from ? -0.05f : 0.05f;
    }
    Tensor x = Tensor::from(values, input.shape, dtype).to(device);
    if (input.differentiable) x.set_requires_grad(true);
    out.push_back(x);
  }
  return out;
}

Tensor weights_for(const Tensor& y) {
  Rng rng(99);
  std::vector<float> w(static_cast<size_t>(y.numel()));
  for (float& v : w) v = static_cast<float>(rng.uniform(0.5, 1.5));
  return Tensor::from(w, y.shape(), y.dtype()).to(y.device());
}

Result run(const Row& row, const Tensors& inputs) {
  const Tensor y = row.f(inputs);
  Result result{y.detach().to_vector<double>(), {}};
  y.backward(weights_for(y));
  for (const Tensor& input : inputs) {
    const Tensor grad = input.grad();
    result.grads.push_back(grad.defined() ? grad.to_vector<double>() : std::vector<double>());
    input.zero_grad();
  }
  return result;
}

bool same_bytes(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

bool same_bytes(const Result& a, const Result& b) {
  if (!same_bytes(a.value, b.value) || a.grads.size() != b.grads.size()) return false;
  for (size_t i = 0; i < a.grads.size(); ++i)
    if (!same_bytes(a.grads[i], b.grads[i])) return false;
  return true;
}

double distance(const Result& a, const Result& b) {
  double worst = testing::relative_distance(a.value, b.value);
  for (size_t i = 0; i < a.grads.size(); ++i)
    worst = std::max(worst, testing::relative_distance(a.grads[i], b.grads[i]));
  return worst;
}

}  // namespace ditto::testing
