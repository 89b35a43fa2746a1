// Writes what ditto computes for a setup file as safetensors, for the script that made the file to
// compare with PyTorch. A setup with trainings gives gradients, statistics and losses; one without
// gives the logits of the evaluated model, from the hashed weights or, where a weights file is
// given, from those.
//
//   ditto_parity_dump SETUP.json OUT.safetensors [WEIGHTS.safetensors]
#include <cstdio>
#include <exception>

#include "core/serialize.h"
#include "tests/reference/parity_run.h"

namespace ditto::testing {
namespace {

TensorMap step(const nlohmann::json& setup) {
  TensorMap out;
  for (const Dtype dtype : {Dtype::F32, Dtype::F64}) {
    const std::string prefix = to_string(dtype) + ".";
    ParityRun run(setup, dtype);
    out[prefix + "loss"] = Tensor::scalar(run.forward_backward(), Dtype::F64);
    for (const nn::StateEntry& grad : run.gradients())
      out[prefix + "grad." + grad.name] = grad.tensor;
    for (const nn::NamedParameter& b : run.buffers()) out[prefix + "buffer." + b.name] = b.tensor;
  }
  for (const auto& training : setup["trainings"]) {
    const std::vector<double> losses = ParityRun(setup).train(training["steps"], training["rate"]);
    out["losses." + training["name"].get<std::string>()] =
        Tensor::from(losses, {static_cast<int64_t>(losses.size())});
  }
  return out;
}

TensorMap logits(const nlohmann::json& setup, const char* weights) {
  ParityRun run(setup);
  if (weights) {
    std::vector<nn::StateEntry> entries;
    for (const auto& [name, tensor] : load_safetensors(weights).tensors)
      entries.push_back({name, tensor});
    nn::load_state_dict(run.model(), entries);
  }
  return {{"logits", run.logits()}};
}

}  // namespace
}  // namespace ditto::testing

int main(int argc, char** argv) {
  using namespace ditto::testing;
  try {
    ditto::check(argc == 3 || argc == 4,
                 "usage: ditto_parity_dump SETUP.json OUT.safetensors [WEIGHTS.safetensors]");
    const nlohmann::json setup = read_reference(argv[1]);
    ditto::save_safetensors(argv[2], setup.contains("trainings")
                                         ? step(setup)
                                         : logits(setup, argc == 4 ? argv[3] : nullptr));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
