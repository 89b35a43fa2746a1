// A replayed training step equals the eager one, and falls back where it has to.
#include "nn/graphed_step.h"

#include "autograd/mixed_precision.h"
#include "autograd/ops.h"
#include "core/graph_capture.h"
#include "core/rng.h"
#include "losses/losses.h"
#include "models/models.h"
#include "models/resnet_cifar.h"
#include "nn/init.h"
#include "nn/optim/adam.h"
#include "nn/optim/ema.h"
#include "nn/optim/schedule.h"
#include "nn/optim/sgd.h"
#include "nn/state_dict.h"
#include "tests/support/cuda.h"
#ifdef DITTO_CUDA_EMULATED
#include "tests/cuda_emulation/cudart.h"
#endif

namespace ditto {
namespace {

using testing::contains;
using testing::kCuda;

struct TestBatch {
  Tensor images, labels, groups;
};

TestBatch random_batch(int64_t rows, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> pixels(static_cast<size_t>(rows * 8 * 8 * 3));
  for (float& pixel : pixels) pixel = static_cast<float>(rng.normal());
  std::vector<int64_t> labels, groups;
  for (int64_t i = 0; i < rows; ++i) {
    labels.push_back(static_cast<int64_t>(rng.below(4)));
    groups.push_back(i / 2);
  }
  return {Tensor::from(pixels, {rows, 8, 8, 3}), Tensor::from(labels, {rows}),
          Tensor::from(groups, {rows})};
}

std::unique_ptr<nn::Layer> make_model(const std::string& name) {
  std::unique_ptr<nn::Layer> model;
  if (name == "resnet")
    model = std::make_unique<models::ResNetCifar>(
        models::ResNetCifarOptions{.depth = 8, .width = 2, .num_classes = 4});
  else
    model = models::make_model("mlp", {.image_size = 8, .num_classes = 4, .dropout = 0.5});
  nn::init(*model, 3);
  model->to(kCuda);
  return model;
}

struct Outcome {
  std::vector<double> losses;
  std::vector<std::vector<double>> state;  // every tensor of model, optimizer and averages
  int64_t replays = 0;
  std::vector<std::string> messages;

  bool same_numbers(const Outcome& other) const {
    return losses == other.losses && state == other.state;
  }
};

// Eight steps under a schedule; the sixth has fewer rows, and an evaluation comes after the fifth.
Outcome train(const std::string& model_name, const std::string& optimizer_name, bool graph,
              double clip = 0, const std::function<void()>& in_capture = {}) {
  const auto model = make_model(model_name);
  std::unique_ptr<nn::Optimizer> optimizer;
  if (optimizer_name == "sgd")
    optimizer = std::make_unique<nn::Sgd>(nn::parameter_groups(*model, 1e-3, false),
                                          nn::SgdOptions{.lr = 0.1});
  else
    optimizer = std::make_unique<nn::Adam>(nn::parameter_groups(*model, 1e-3), nn::AdamOptions{});
  nn::Ema ema(*model, {.decay = 0.9});
  const losses::ClassificationLoss loss = losses::make_loss("t-cce", {.rho = 0.5});
  const auto compute = [&](const Tensors& in) -> Tensors {
    if (current_capture() && in_capture) in_capture();
    const Tensor logits = (*model)(in[0]), value = loss(logits, in[1], in[2]);
    value.backward();
    return {value, argmax(logits.detach(), 1)};
  };
  Outcome outcome;
  nn::GraphedStep graphed(*model, compute,
                          [&](const std::string& line) { outcome.messages.push_back(line); });
  for (int step = 0; step < 8; ++step) {
    const TestBatch batch = random_batch(step == 5 ? 4 : 6, static_cast<uint64_t>(step));
    Tensors out;
    if (graph) {
      out = graphed({batch.images, batch.labels, batch.groups});
    } else {
      optimizer->zero_grad();
      out = compute({batch.images.to(kCuda), batch.labels.to(kCuda), batch.groups.to(kCuda)});
    }
    outcome.losses.push_back(out[0].detach().item());
    for (const double label : out[1].to_vector<double>()) outcome.losses.push_back(label);
    if (clip > 0) outcome.losses.push_back(nn::clip_grad_norm(model->parameters(), clip));
    optimizer->set_lr(nn::learning_rate(
        {.kind = nn::ScheduleOptions::Kind::OneCycle, .lr = 0.05, .total_steps = 8}, step));
    optimizer->step();
    ema.update();
    if (step == 4) {
      const NoGrad guard;
      model->eval();
      outcome.losses.push_back(sum((*model)(batch.images.to(kCuda))).item());
      model->train();
    }
  }
  for (const nn::NamedParameter& p : model->named_parameters())
    outcome.state.push_back(p.tensor.detach().to_vector<double>());
  for (const nn::NamedParameter& b : model->named_buffers())
    outcome.state.push_back(b.tensor.to_vector<double>());
  for (const auto& [name, tensor] : optimizer->state())
    outcome.state.push_back(tensor.to_vector<double>());
  for (const auto& [name, tensor] : ema.state())
    outcome.state.push_back(tensor.to_vector<double>());
  outcome.replays = graphed.replays();
  return outcome;
}

}  // namespace

TEST_CASE("cuda graphed step: the bits of an eager training, batch statistics and all", "[gpu]") {
  DITTO_NEEDS_CUDA();
  set_deterministic(true);
  for (const double clip : {0.0, 0.5}) {
    const Outcome eager = train("resnet", "sgd", false, clip),
                  graphed = train("resnet", "sgd", true, clip);
    CHECK(graphed.same_numbers(eager));
    CHECK(eager.replays == 0);
    CHECK(graphed.replays == 5);  // two before the capture, one with fewer rows
    REQUIRE(graphed.messages.size() == 1);
    CHECK_THAT(graphed.messages[0],
               contains("a step runs without the graph: input 0 is f32 (4, 8, 8, 3), captured was "
                        "f32 (6, 8, 8, 3)"));
  }
  set_deterministic(false);
}

TEST_CASE("cuda graphed step: convolutions in bf16, too", "[gpu]") {
  DITTO_NEEDS_CUDA();
  set_deterministic(true);
  const MixedPrecision scope(Dtype::BF16);
  const Outcome eager = train("resnet", "sgd", false), graphed = train("resnet", "sgd", true);
  CHECK(graphed.same_numbers(eager));
  CHECK(graphed.replays == 5);
  set_deterministic(false);
}

TEST_CASE("cuda graphed step: dropout masks and Adam's corrections change from step to step",
          "[gpu]") {
  DITTO_NEEDS_CUDA();
  const Outcome eager = train("mlp", "adam", false), graphed = train("mlp", "adam", true);
  CHECK(graphed.same_numbers(eager));
  CHECK(graphed.replays == 5);
}

TEST_CASE("cuda graphed step: a step that cannot be captured says why once and runs as it is",
          "[gpu]") {
  DITTO_NEEDS_CUDA();
  // Twice the same steps; only the second may capture, and cannot.
  std::vector<std::vector<double>> weights;
  std::vector<std::string> messages;
  for (const bool graph : {false, true}) {
    const auto model = make_model("mlp");
    nn::Sgd optimizer(nn::parameter_groups(*model, 0), {.lr = 0.1});
    const auto compute = [&](const Tensors& in) -> Tensors {
      const Tensor value = mean((*model)(in[0]));
      const double read = value.detach().item();  // waits for the device
      (value * (1 + read)).backward();
      return {value};
    };
    nn::GraphedStep step(*model, compute,
                         [&](const std::string& line) { messages.push_back(line); });
    for (int i = 0; i < 5; ++i) {
      const Tensors in{random_batch(4, static_cast<uint64_t>(i)).images.to(kCuda)};
      if (graph) {
        step(in);
      } else {
        optimizer.zero_grad();
        compute(in);
      }
      optimizer.step();
    }
    CHECK(!step.captured());
    weights.emplace_back();
    for (const Tensor& p : model->parameters())
      for (const double v : p.detach().to_vector<double>()) weights.back().push_back(v);
    for (const nn::NamedParameter& b : model->named_buffers())
      for (const double v : b.tensor.to_vector<double>()) weights.back().push_back(v);
  }
  CHECK(weights[0] == weights[1]);
  REQUIRE(messages.size() == 1);
  CHECK_THAT(messages[0], contains("[cuda graph] steps run without a graph: [cuda graph] a copy to "
                                   "the host cannot be captured"));
}

#ifdef DITTO_CUDA_EMULATED
TEST_CASE(
    "cuda graphed step: a driver that fails, or has no memory left, leaves an eager training") {
  const Outcome eager = train("mlp", "adam", false);
  const std::pair<const char*, const char*> failures[] = {
      {"cudaStreamBeginCapture", "[cuda] cudaStreamBeginCapture"},
      {"cudaGraphInstantiate", "[cuda] cudaGraphInstantiate of"},
      {"cudaMallocAsync", "[cuda] out of memory"}};
  for (const auto& [function, message] : failures) {
    const std::string name = function;
    if (name != "cudaMallocAsync") emulation::fail_call(name, 1);
    const Outcome graphed = train("mlp", "adam", true, 0, [&] {
      if (name != "cudaMallocAsync") return;
      emulation::fail_call(name, 1);
      emulation::fail_call(name, 2);  // again, after the pool was trimmed
    });
    emulation::clear_failures();
    CHECK(graphed.same_numbers(eager));
    CHECK(graphed.replays == 0);
    REQUIRE(graphed.messages.size() == 1);
    CHECK_THAT(graphed.messages[0], contains(message));
  }
}
#endif

TEST_CASE("cuda graphed step: evaluation mode, undefined inputs and errors of the step", "[gpu]") {
  DITTO_NEEDS_CUDA();
  const auto model = make_model("mlp");
  std::vector<std::string> messages;
  nn::GraphedStep step(
      *model,
      [&](const Tensors& in) -> Tensors {
        check(!in[1].defined(), "[test] no second input");
        const Tensor value = mean((*model)(in[0]));
        if (model->training()) value.backward();
        return {value};
      },
      [&](const std::string& line) { messages.push_back(line); });
  const Tensor x = random_batch(4, 1).images.to(kCuda);
  for (int i = 0; i < 4; ++i) step({x, Tensor()});
  CHECK(step.replays() == 2);
  CHECK(step.nodes() > 5);
  CHECK(step.memory_bytes() > 0);
  model->eval();
  for (int i = 0; i < 3; ++i) step({x, Tensor()});
  model->train();
  REQUIRE(messages.size() == 1);
  CHECK_THAT(messages[0], contains("the module is in evaluation mode"));
  CHECK_THROWS_WITH(step({x, x}), contains("[test] no second input"));
  CHECK(step.replays() == 2);
  step({x, Tensor()});
  CHECK(step.replays() == 3);
  // Gradients come back after somebody dropped them.
  model->zero_grad();
  step({x, Tensor()});
  CHECK(model->parameters()[0].grad().defined());
}

TEST_CASE("cuda graphed step: on the CPU it is the step itself, and says so") {
  const auto model = models::make_model("mlp", {.image_size = 8, .num_classes = 4});
  nn::init(*model, 1);
  std::vector<std::string> messages;
  nn::GraphedStep step(
      *model, [&](const Tensors& in) -> Tensors { return {(*model)(in[0])}; },
      [&](const std::string& line) { messages.push_back(line); });
  const Tensor x = random_batch(3, 1).images;
  for (int i = 0; i < 4; ++i)
    CHECK(step({x})[0].to_vector<float>() == (*model)(x).detach().to_vector<float>());
  REQUIRE(messages.size() == 1);
  CHECK_THAT(messages[0], contains("steps run without a graph: the model is on the cpu"));
}

}  // namespace ditto
