// Writes what ditto computes for the setup in resnet20_parity.json as safetensors, for
// resnet20_parity.py to compare with PyTorch.
//
//   ditto_resnet20_dump OUT.safetensors
#include <cstdio>
#include <exception>

#include "core/serialize.h"
#include "tests/reference/resnet20_run.h"

namespace ditto::testing {
namespace {

void dump(const std::string& path) {
  const nlohmann::json setup = read_reference("resnet20_parity.json");
  TensorMap out;
  for (const Dtype dtype : {Dtype::F32, Dtype::F64}) {
    const std::string prefix = to_string(dtype) + ".";
    Resnet20Run run(setup, dtype);
    out[prefix + "loss"] = Tensor::scalar(run.forward_backward(), Dtype::F64);
    for (const nn::StateEntry& grad : run.gradients())
      out[prefix + "grad." + grad.name] = grad.tensor;
    for (const nn::NamedParameter& b : run.buffers()) out[prefix + "buffer." + b.name] = b.tensor;
  }
  for (const auto& training : setup["trainings"]) {
    const std::vector<double> losses =
        Resnet20Run(setup).train(training["steps"], training["rate"]);
    out["losses." + training["name"].get<std::string>()] =
        Tensor::from(losses, {static_cast<int64_t>(losses.size())});
  }
  save_safetensors(path, out);
}

}  // namespace
}  // namespace ditto::testing

int main(int argc, char** argv) {
  try {
    ditto::check(argc == 2, "usage: ditto_resnet20_dump OUT.safetensors");
    ditto::testing::dump(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
