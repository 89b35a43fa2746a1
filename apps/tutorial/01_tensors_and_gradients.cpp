// Tutorial 01: tensors, operations and gradients.
//
// Fits a line to points by gradient descent, with nothing but tensors and backward().
#include <cstdio>

#include "autograd/ops.h"
#include "core/rng.h"

using namespace ditto;

int main() {
  // A Tensor is a cheap handle: copying it shares the elements.
  Tensor a = Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3});
  std::printf("a is %s\n", to_string(a).c_str());

  // Operations are free functions and operators; shapes broadcast as in NumPy.
  Tensor centred = a - mean(a, 1, /*keepdim=*/true);
  std::printf("row means removed: %g %g %g ...\n", centred.to_vector<float>()[0],
              centred.to_vector<float>()[1], centred.to_vector<float>()[2]);

  // Points on y = 3 x - 1, with noise.
  Rng rng(1);
  std::vector<float> xs, ys;
  for (int i = 0; i < 100; ++i) {
    xs.push_back(static_cast<float>(rng.uniform(-1, 1)));
    ys.push_back(3 * xs.back() - 1 + 0.1f * static_cast<float>(rng.normal()));
  }
  const Tensor x = Tensor::from(xs, {100}), y = Tensor::from(ys, {100});

  // Leaves that require a gradient receive one from every backward().
  Tensor slope = Tensor::zeros({}), offset = Tensor::zeros({});
  slope.set_requires_grad(true);
  offset.set_requires_grad(true);
  double loss_value = 0;
  for (int step = 0; step < 100; ++step) {
    slope.zero_grad();
    offset.zero_grad();
    const Tensor loss = mean(square(x * slope + offset - y));
    loss.backward();
    // Updates are plain data movement: nothing is recorded on detached handles.
    for (Tensor* parameter : {&slope, &offset}) {
      Tensor value = parameter->detach();
      value.copy_(value - parameter->grad() * 0.3);
    }
    loss_value = loss.item();
  }
  std::printf("slope %.3f (3), offset %.3f (-1), loss %.4f\n", slope.item(), offset.item(),
              loss_value);

  // Mistakes are errors that name the operation and the values.
  try {
    add(Tensor::zeros({2, 3}), Tensor::zeros({4}));
  } catch (const Error& error) {
    std::printf("error: %s\n", error.what());
  }
  return loss_value < 0.02 ? 0 : 1;
}
