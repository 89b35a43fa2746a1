#include "autograd/gradcheck.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "autograd/grad_mode.h"
#include "core/rng.h"

namespace ditto {
namespace {

Tensor random_weights(const Shape& shape, Device device) {
  Tensor weights = Tensor::empty(shape, Dtype::F64);
  Rng rng(20250611);
  double* w = weights.data<double>();
  for (int64_t i = 0; i < weights.numel(); ++i) w[i] = rng.uniform(0.5, 1.5) * (i % 2 ? -1 : 1);
  return weights.to(device);
}

double contract(const Tensor& y, const Tensor& weights) {
  const auto a = y.detach().to_vector<double>(), b = weights.to_vector<double>();
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// Gradients of <f(inputs), weights>; zeros where none arrived.
Tensors analytic(const std::function<Tensor(const Tensors&)>& f, const Tensors& inputs,
                 const Tensor& weights) {
  for (const Tensor& input : inputs) input.zero_grad();
  f(inputs).backward(weights);
  Tensors grads;
  for (const Tensor& input : inputs) {
    Tensor grad = input.grad();
    grads.push_back(grad.defined() ? grad.contiguous().clone() : Tensor());
    input.zero_grad();
  }
  return grads;
}

GradcheckResult failed(std::string message) {
  return {false, std::numeric_limits<double>::infinity(), std::move(message)};
}

}  // namespace

GradcheckResult gradcheck(const std::function<Tensor(const Tensors&)>& f, const Tensors& inputs,
                          const GradcheckOptions& options) {
  for (const Tensor& input : inputs)
    check(!input.defined() || !input.requires_grad() || input.dtype() == Dtype::F64,
          "[gradcheck] needs f64 inputs, got", input);
  const Tensor y = f(inputs);
  check(y.dtype() == Dtype::F64, "[gradcheck] needs an f64 output, got", y);
  const Tensor weights = random_weights(y.shape(), y.device());
  const Tensors grads = analytic(f, inputs, weights), again = analytic(f, inputs, weights);
  const Tensors zero = analytic(f, inputs, Tensor::zeros(y.shape(), Dtype::F64, y.device()));

  GradcheckResult result;
  double worst_excess = -1;
  for (size_t k = 0; k < inputs.size(); ++k) {
    Tensor input = inputs[k];
    if (!input.defined() || !input.requires_grad()) continue;
    if (!grads[k].defined()) {
      if (input.numel() == 0) continue;
      return failed(fmt::format("input {} received no gradient", k));
    }
    if (!(grads[k].shape() == input.shape()))
      return failed(fmt::format("input {} has shape {} but its gradient {}", k,
                                to_string(input.shape()), to_string(grads[k].shape())));
    const auto g = grads[k].to_vector<double>(), g2 = again[k].to_vector<double>();
    if (!g.empty() && std::memcmp(g.data(), g2.data(), g.size() * sizeof(double)) != 0)
      return failed(fmt::format("input {}: two backward passes differ", k));
    if (zero[k].defined())
      for (double value : zero[k].to_vector<double>())
        if (value != 0)
          return failed(fmt::format("input {}: zero output gradient gives {}", k, value));
    NoGrad guard;
    check(input.is_contiguous(), "[gradcheck] needs contiguous inputs, got strides",
          input.strides());
    const auto x = input.detach().to_vector<double>();
    for (int64_t i = 0; i < input.numel(); ++i) {
      Tensor element = input.alias({}, {}, input.offset() + i);
      const double kept = x[static_cast<size_t>(i)];
      element.fill_(kept + options.eps);
      const double up = contract(f(inputs), weights);
      element.fill_(kept - options.eps);
      const double down = contract(f(inputs), weights);
      element.fill_(kept);
      const double numeric = (up - down) / (2 * options.eps);
      const double error = std::fabs(g[i] - numeric);
      const double excess = error - (options.atol + options.rtol * std::fabs(numeric));
      const bool bad = !(excess <= 0);
      if (excess > worst_excess || std::isnan(error)) {
        worst_excess = excess;
        result.worst = error;
        result.message = fmt::format("input {} element {}: analytic {:.12g}, numeric {:.12g}", k, i,
                                     g[i], numeric);
      }
      if (bad) result.ok = false;
      if (std::isnan(error)) return result;
    }
  }
  return result;
}

}  // namespace ditto
