// Runs every row through every invariant (docs/design.md, tests).
#include <cstdlib>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "core/device_choice.h"
#include "tests/conformance/run_row.h"
#include "tests/support/catch.h"
#include "tests/support/distance.h"

namespace ditto::testing {

namespace {

// Calls check(row, device) for every row on the CPU and, where there is one, on the CUDA device (a
// GPU or the emulated one). DITTO_TEST_DEVICE=cpu|cuda restricts it to one of them.
template <class F>
void for_each_row(F&& check) {
  const char* only = std::getenv("DITTO_TEST_DEVICE");
  std::vector<Device> devices;
  if (!only || std::string(only) == "cpu") devices.push_back(kCpu);
  if ((!only || std::string(only) == "cuda") && cuda_device_count() > 0)
    devices.push_back({DeviceType::Cuda, 0});
  REQUIRE(!devices.empty());
  const Deterministic guard;
  for (Device device : devices)
    for (const Row& row : all_rows()) {
      INFO(row.name << " on " << to_string(device));
      check(row, device);
    }
}

// The same values inside a larger storage: dimensions in reverse order in memory, behind one odd
// element.
Tensor scattered(const Tensor& x) {
  Shape reversed;
  for (int i = x.rank() - 1; i >= 0; --i) reversed.push_back(x.shape()[i]);
  const Shape steps = contiguous_strides(reversed);
  Shape strides;
  for (int i = x.rank() - 1; i >= 0; --i) strides.push_back(steps[i]);
  Tensor out = Tensor::empty({x.numel() + 1}, x.dtype(), x.device()).alias(x.shape(), strides, 1);
  out.copy_(x.detach());
  if (x.requires_grad()) out.set_requires_grad(true);
  return out;
}

}  // namespace

TEST_CASE("conformance: gradients equal central differences in f64", "[conformance]") {
  for_each_row([](const Row& row, Device device) {
    const GradcheckResult result = gradcheck(row.f, make_inputs(row, Dtype::F64, device));
    INFO(result.message << ", worst " << result.worst);
    CHECK(result.ok);
  });
}

TEST_CASE("conformance: f32 agrees with f64", "[conformance]") {
  for_each_row([](const Row& row, Device device) {
    const Result fast = run(row, make_inputs(row, Dtype::F32, device));
    const Result exact = run(row, make_inputs(row, Dtype::F64, device));
    CHECK(distance(fast, exact) <= row.f32_tolerance);
  });
}

TEST_CASE("conformance: same bytes twice, and for any number of threads", "[conformance]") {
  const int before = num_threads();
  for_each_row([](const Row& row, Device device) {
    for (Dtype dtype : {Dtype::F32, Dtype::F64}) {
      INFO(to_string(dtype));
      const Tensors inputs = make_inputs(row, dtype, device);
      set_num_threads(2);
      const Result first = run(row, inputs);
      CHECK(same_bytes(first, run(row, inputs)));
      if (!row.same_for_any_thread_count || device.is_cuda()) continue;
      for (int threads : {1, 3}) {
        set_num_threads(threads);
        CHECK(same_bytes(first, run(row, inputs)));
      }
    }
  });
  set_num_threads(before);
}

TEST_CASE("conformance: strides and alignment of the inputs do not matter", "[conformance]") {
  for_each_row([](const Row& row, Device device) {
    for (Dtype dtype : {Dtype::F32, Dtype::F64}) {
      INFO(to_string(dtype));
      const Tensors plain = make_inputs(row, dtype, device);
      Tensors odd;
      for (const Tensor& x : plain) odd.push_back(scattered(x));
      // Rounding may differ where a library picks another path for other alignment.
      CHECK(distance(run(row, odd), run(row, plain)) <= (dtype == Dtype::F64 ? 1e-14 : 1e-6));
    }
  });
}

TEST_CASE("conformance: inputs are left unchanged", "[conformance]") {
  for_each_row([](const Row& row, Device device) {
    const Tensors inputs = make_inputs(row, Dtype::F32, device);
    std::vector<std::vector<double>> before;
    for (const Tensor& x : inputs) before.push_back(x.detach().to_vector<double>());
    run(row, inputs);
    for (size_t i = 0; i < inputs.size(); ++i)
      CHECK(same_bytes(before[i], inputs[i].detach().to_vector<double>()));
  });
}

TEST_CASE("conformance: only asked-for inputs receive gradients, and the same ones",
          "[conformance]") {
  for_each_row([](const Row& row, Device device) {
    const Result all = run(row, make_inputs(row, Dtype::F64, device));
    for (size_t wanted = 0; wanted < row.inputs.size(); ++wanted) {
      if (!row.inputs[wanted].differentiable) continue;
      INFO("input " << wanted);
      Tensors inputs = make_inputs(row, Dtype::F64, device);
      for (size_t i = 0; i < inputs.size(); ++i)
        if (i != wanted) inputs[i] = inputs[i].detach();
      const Result one = run(row, inputs);
      CHECK(same_bytes(one.grads[wanted], all.grads[wanted]));
    }
  });
}

TEST_CASE("conformance: gradients accumulate exactly once per backward", "[conformance]") {
  for_each_row([](const Row& row, Device device) {
    const Tensors inputs = make_inputs(row, Dtype::F64, device);
    const Result once = run(row, inputs);
    for (int pass = 0; pass < 2; ++pass) {
      const Tensor y = row.f(inputs);
      y.backward(weights_for(y));
    }
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!inputs[i].grad().defined()) continue;
      std::vector<double> twice = once.grads[i];
      for (double& v : twice) v *= 2;
      // Not the same bytes: two paths into one leaf add up in another order.
      CHECK(relative_distance(inputs[i].grad().to_vector<double>(), twice) <= 1e-15);
    }
  });
}

TEST_CASE("conformance: a freed graph refuses a second backward", "[conformance]") {
  for (const Row& row : all_rows()) {
    INFO(row.name);
    const Tensor y = row.f(make_inputs(row, Dtype::F64));
    const Tensor w = Tensor::ones(y.shape(), Dtype::F64);
    y.backward(w, true);
    y.backward(w);
    CHECK_THROWS_WITH(y.backward(w), contains("freed"));
  }
}

TEST_CASE("conformance: in-place edits of inputs are caught or harmless", "[conformance]") {
  for_each_row([](const Row& row, Device device) {
    const Result expected = run(row, make_inputs(row, Dtype::F64, device));
    for (size_t edited = 0; edited < row.inputs.size(); ++edited) {
      INFO("input " << edited);
      const Tensors inputs = make_inputs(row, Dtype::F64, device);
      const Tensor y = row.f(inputs);
      inputs[edited].detach().fill_(0);
      bool caught = false;
      try {
        y.backward(weights_for(y));
      } catch (const Error& error) {
        caught = true;
        CHECK_THAT(std::string(error.what()), contains("changed in place"));
      }
      if (caught) continue;
      for (size_t i = 0; i < inputs.size(); ++i)
        if (inputs[i].grad().defined())
          CHECK(same_bytes(inputs[i].grad().to_vector<double>(), expected.grads[i]));
    }
  });
}

TEST_CASE("conformance: an empty batch gives an empty result and empty gradients",
          "[conformance]") {
  for_each_row([](const Row& row, Device device) {
    if (row.empty_dim < 0) return;
    Row empty = row;
    for (Input& input : empty.inputs)
      if (input.differentiable) input.shape[row.empty_dim] = 0;
    const Tensors inputs = make_inputs(empty, Dtype::F32, device);
    const Tensor y = empty.f(inputs);
    y.backward(Tensor::ones(y.shape(), y.dtype(), device));
    for (const Tensor& x : inputs)
      if (x.requires_grad()) CHECK(x.grad().shape() == x.shape());
  });
}

TEST_CASE("conformance: wrong dtypes are errors that name an op", "[conformance]") {
  for_each_row([](const Row& row, Device device) {
    for (size_t wrong = 0; wrong < row.inputs.size(); ++wrong) {
      Tensors inputs = make_inputs(row, Dtype::F32, device);
      const bool index = inputs[wrong].dtype() == Dtype::I64;
      inputs[wrong] = inputs[wrong].detach().to(index ? Dtype::F32 : Dtype::U8);
      INFO("input " << wrong);
      if (row.any_dtype && !index) {
        CHECK(row.f(inputs).dtype() == Dtype::U8);
        continue;
      }
      std::string message;
      try {
        row.f(inputs);
      } catch (const Error& error) {
        message = error.what();
      }
      // "[op] ..." with the row's op, or, for rows of several ops, with one of those it names.
      bool named = false;
      for (const std::string& op :
           row.tags.empty() ? std::vector{row.name.substr(0, row.name.find(' '))} : row.tags)
        named |= message.rfind("[" + op + "]", 0) == 0;
      INFO("message: " << message);
      CHECK(named);
      if (!index) CHECK_THAT(message, contains("u8"));
    }
  });
}

TEST_CASE("conformance: an undefined tensor is an error, not a crash", "[conformance]") {
  for (const Row& row : all_rows()) {
    INFO(row.name);
    Tensors inputs = make_inputs(row, Dtype::F32);
    inputs[0] = Tensor();
    CHECK_THROWS_AS(row.f(inputs), Error);
  }
}

}  // namespace ditto::testing
