// Every row on the CUDA device (a GPU or the emulated one) against the CPU.
#include "tests/conformance/run_row.h"
#include "tests/support/cuda.h"

namespace ditto::testing {

TEST_CASE("conformance: the CUDA device agrees with the CPU", "[conformance][gpu]") {
  DITTO_NEEDS_CUDA();
  for (const Row& row : all_rows()) {
    INFO(row.name);
    CHECK(distance(run(row, make_inputs(row, Dtype::F64, kCuda)),
                   run(row, make_inputs(row, Dtype::F64))) <= 1e-12);
    // Each is within the tolerance of the exact value.
    CHECK(distance(run(row, make_inputs(row, Dtype::F32, kCuda)),
                   run(row, make_inputs(row, Dtype::F32))) <= 2 * row.f32_tolerance);
  }
}

TEST_CASE("conformance: bf16 on the CUDA device agrees with the CPU, or is refused by both",
          "[conformance][gpu]") {
  DITTO_NEEDS_CUDA();
  const Deterministic guard;
  // What the row gives, or the error's first word.
  const auto outcome = [](const Row& row, Device device, Result* result) -> std::string {
    try {
      *result = run(row, make_inputs(row, Dtype::BF16, device));
    } catch (const Error& error) {
      const std::string text = error.what();
      return text.substr(0, text.find(']') + 1);
    }
    return "";
  };
  int computed = 0;
  for (const Row& row : all_rows()) {
    INFO(row.name);
    Result expected, got;
    const std::string refusal = outcome(row, kCpu, &expected);
    CHECK(outcome(row, kCuda, &got) == refusal);
    if (!refusal.empty()) continue;
    ++computed;
    // Both compute in f32 and round at the end of every op: neighbouring values, now and then, of 8
    // bits each.
    CHECK(distance(got, expected) <= 2.0 / 256);
  }
  CHECK(computed >= 40);
}

TEST_CASE("conformance: inputs on two devices are an error, not a crash", "[conformance][gpu]") {
  DITTO_NEEDS_CUDA();
  for (const Row& row : all_rows()) {
    if (row.inputs.size() < 2) continue;
    for (size_t other = 0; other < row.inputs.size(); ++other) {
      INFO(row.name << " input " << other << " on the CPU");
      Tensors inputs = make_inputs(row, Dtype::F32, kCuda);
      inputs[other] = make_inputs(row, Dtype::F32)[other];
      CHECK_THROWS_WITH(row.f(inputs), contains("cpu") && contains("cuda:0"));
    }
  }
}

}  // namespace ditto::testing
