// Models against PyTorch without PyTorch: one step's loss, gradients and running statistics and
// short trainings of ResNet-20 and DenseNet-40, from the weights and batch of
// tests/reference/*_parity.json (made by step_parity.py beside them, which compares with the live
// program and prints every error); logits and names of torchvision's ResNet-18 and -50 (made by
// torchvision_parity.py).
#include <cmath>
#include <map>

#include "tests/reference/parity_run.h"
#include "tests/support/catch.h"

namespace ditto {
namespace {

using nlohmann::json;

// Parsed once.
const json& reference(const std::string& model) {
  static std::map<std::string, json> files;
  const auto [entry, is_new] = files.try_emplace(model);
  if (is_new) entry->second = testing::read_reference(model + "_parity.json");
  return entry->second;
}

struct Named {
  std::string name;
  Tensor tensor;
  json digest;
};

// Gradients and running statistics after one step, beside what they must be.
std::vector<Named> compared(const testing::ParityRun& run, const json& reference) {
  std::map<std::string, Tensor> ours;
  for (const nn::StateEntry& grad : run.gradients()) ours[grad.name] = grad.tensor;
  for (const nn::NamedParameter& buffer : run.buffers()) ours[buffer.name] = buffer.tensor;
  std::vector<Named> out;
  for (const char* part : {"gradients", "buffers"}) {
    for (const json& digest : reference[part]) {
      const std::string name = digest["name"];
      INFO(name);
      REQUIRE(ours.count(name) == 1);
      out.push_back({name, ours[name], digest});
    }
  }
  REQUIRE(reference["gradients"].size() == run.gradients().size());
  // Mean and variance of every norm, without the count of batches.
  REQUIRE(3 * reference["buffers"].size() == 2 * run.buffers().size());
  return out;
}

void check_step_in_f64(const json& reference) {
  testing::ParityRun run(reference, Dtype::F64);
  CHECK(std::abs(run.forward_backward() - reference["loss_f64"].get<double>()) <= 1e-10);
  for (const Named& entry : compared(run, reference)) {
    const double error = testing::digest_error(entry.tensor, entry.digest);
    INFO(entry.name << ": error " << error);
    CHECK(error <= 1e-10);
  }
}

void check_step_in_f32(const json& reference) {
  testing::ParityRun run(reference);
  const double loss = run.forward_backward();
  INFO("loss " << loss);
  CHECK(std::abs(loss - reference["loss_f32"].get<double>()) <= 1e-5);
  CHECK(std::abs(loss - reference["loss_f64"].get<double>()) <= 1e-5);
  double log_ratio = 0;
  int count = 0;
  for (const Named& entry : compared(run, reference)) {
    const double error = testing::digest_error(entry.tensor, entry.digest);
    // PyTorch's own error, at least one rounding. Which way single roundings fall depends on the
    // processor's vector width, so a single tensor may take 4 times that and all together 2 times.
    const double allowed = std::max(entry.digest["torch_f32_error"].get<double>(), 0x1p-24);
    INFO(entry.name << ": error " << error << ", PyTorch's " << allowed);
    CHECK(error <= 1e-4);
    CHECK(error <= 4 * allowed);
    log_ratio += std::log(std::max(error, 1e-12) / allowed);
    ++count;
  }
  INFO("geometric mean of the ratios " << std::exp(log_ratio / count));
  CHECK(log_ratio / count <= std::log(2.0));
}

// 10 steps at a small rate; at a large one the first 3: after that f32 trajectories part, two of
// PyTorch's as well.
void check_trainings(const json& reference) {
  REQUIRE(reference["trainings"].size() == 2);
  for (const json& training : reference["trainings"]) {
    const std::vector<double> got =
        testing::ParityRun(reference).train(training["steps"], training["rate"]);
    for (size_t i = 0; i < got.size(); ++i) {
      INFO(training["name"] << " step " << i << ": " << got[i]);
      CHECK(std::abs(got[i] - training["losses_f32"][i].get<double>()) <= 1e-3);
      CHECK(std::abs(got[i] - training["losses_f64"][i].get<double>()) <= 1e-3);
    }
  }
}

}  // namespace

TEST_CASE("one ResNet-20 step in f64 is PyTorch's", "[models][parity]") {
  check_step_in_f64(reference("resnet20"));
}
TEST_CASE("one ResNet-20 step in f32 is as close to f64 as PyTorch's", "[models][parity]") {
  check_step_in_f32(reference("resnet20"));
}
TEST_CASE("short ResNet-20 trainings follow PyTorch's losses", "[models][parity]") {
  check_trainings(reference("resnet20"));
}

TEST_CASE("one DenseNet-40 step in f64 is PyTorch's", "[models][parity]") {
  check_step_in_f64(reference("densenet40"));
}
TEST_CASE("one DenseNet-40 step in f32 is as close to f64 as PyTorch's", "[models][parity]") {
  check_step_in_f32(reference("densenet40"));
}
TEST_CASE("short DenseNet-40 trainings follow PyTorch's losses", "[models][parity]") {
  check_trainings(reference("densenet40"));
}

TEST_CASE("torchvision's ResNets have our tensors and give our logits", "[models][parity]") {
  for (const char* name : {"resnet18", "resnet50"}) {
    INFO(name);
    const json& expected = reference(name + std::string("_imagenet"));
    testing::ParityRun run(expected);
    std::map<std::string, Shape> ours;
    for (const nn::StateEntry& entry : nn::state_dict(run.model()))
      if (!entry.name.ends_with("num_batches_tracked")) ours[entry.name] = entry.tensor.shape();
    REQUIRE(ours.size() == expected["parameters"].size());
    for (const json& row : expected["parameters"])
      CHECK(ours.at(row["name"]) == testing::shape_of(row["shape"]));
    CHECK(testing::digest_error(run.logits(), expected["logits"][0]) <= 1e-4);
  }
}

}  // namespace ditto
