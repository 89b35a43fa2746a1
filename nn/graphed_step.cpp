#include "nn/graphed_step.h"

#include <cstdio>

#ifdef DITTO_HAS_CUDA
#include "core/cuda_graph.h"
#else
namespace ditto {
class CudaGraph {};  // nothing is ever captured
}  // namespace ditto
#endif

namespace ditto::nn {

// The first step makes handles, plans and pinned memory; the second shows that they are kept.
constexpr int64_t kStepsBefore = 2;

static std::string described(const Tensor& tensor) {
  if (!tensor.defined()) return "undefined";
  return to_string(tensor.dtype()) + " " + to_string(tensor.shape());
}

GraphedStep::GraphedStep(Module& module, Step step, Say say)
    : module_(module), step_(std::move(step)), say_(std::move(say)) {
  if (!say_)
    say_ = [](const std::string& message) { std::fprintf(stderr, "ditto: %s\n", message.c_str()); };
}

GraphedStep::~GraphedStep() = default;

void GraphedStep::tell(const std::string& reason) {
  if (told_.insert(reason).second) say_("[cuda graph] " + reason);
}

// Why a replay is not what these inputs need; empty when it is.
std::string GraphedStep::difference(const Tensors& inputs) const {
  if (!module_.training()) return "the module is in evaluation mode";
  if (inputs.size() != inputs_.size())
    return std::to_string(inputs.size()) + " inputs are given, and " +
           std::to_string(inputs_.size()) + " were captured";
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::string now = described(inputs[i]), then = described(inputs_[i]);
    if (now != then) return "input " + std::to_string(i) + " is " + now + ", captured was " + then;
  }
  return "";
}

Tensors GraphedStep::operator()(const Tensors& inputs) {
  if (!possible_) return run(inputs);
  if (!graph_) {
    if (!module_.device().is_cuda()) {
      possible_ = false;
      tell("steps run without a graph: the model is on the " + to_string(module_.device()));
      return run(inputs);
    }
    // As many alike in a row: a first batch of another size is not what follows.
    if (const std::string other = difference(inputs); !other.empty()) {
      steps_ = 0;
      inputs_ = inputs;
      for (Tensor& input : inputs_) input = input.detach();
    }
    if (!module_.training() || ++steps_ <= kStepsBefore) return run(inputs);
    if (!try_capture(inputs)) return run(inputs);
    return replay(inputs);
  }
  if (const std::string other = difference(inputs); !other.empty()) {
    tell("a step runs without the graph: " + other);
    return run(inputs);
  }
  return replay(inputs);
}

Tensors GraphedStep::run(const Tensors& inputs) {
  Tensors moved;
  for (const Tensor& input : inputs)
    moved.push_back(input.defined() ? input.detach().to(module_.device()) : input);
  module_.zero_grad();
  Tensors outputs = step_(moved);
  for (Tensor& output : outputs) output = output.detach();
  return outputs;
}

#ifdef DITTO_HAS_CUDA

int64_t GraphedStep::nodes() const { return graph_ ? graph_->nodes() : 0; }
int64_t GraphedStep::memory_bytes() const { return graph_ ? graph_->memory_bytes() : 0; }

bool GraphedStep::try_capture(const Tensors& inputs) {
  auto graph = std::make_unique<CudaGraph>(module_.device().index);
  inputs_.clear();
  for (const Tensor& input : inputs)
    inputs_.push_back(
        input.defined() ? Tensor::empty(input.shape(), input.dtype(), module_.device()) : Tensor());
  module_.zero_grad();  // the old gradients would be kept with the graph
  try {
    graph->capture([&] {
      outputs_ = step_(inputs_);
      for (Tensor& output : outputs_) output = output.detach();
    });
  } catch (const Error& error) {
    // Nothing ran, and nothing was counted: as if it had not been tried.
    possible_ = false;
    module_.zero_grad();
    inputs_.clear();
    outputs_.clear();
    tell(std::string("steps run without a graph: ") + error.what());
    return false;
  }
  for (const Tensor& p : module_.parameters())
    if (p.grad().defined()) gradients_.push_back({p, p.grad()});
  for (const NamedParameter& b : module_.named_buffers())
    if (b.tensor.device().is_cuda()) buffers_.push_back(b.tensor);
  graph_ = std::move(graph);
  return true;
}

Tensors GraphedStep::replay(const Tensors& inputs) {
  for (size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].defined()) inputs_[i].copy_(inputs[i].detach());
  module_.zero_grad();
  graph_->replay();
  ++replays_;
  for (const Gradient& g : gradients_) g.parameter.set_grad(g.gradient);
  for (const Tensor& buffer : buffers_) buffer.storage()->bump_version();
  return outputs_;
}

#else

int64_t GraphedStep::nodes() const { return 0; }
int64_t GraphedStep::memory_bytes() const { return 0; }
bool GraphedStep::try_capture(const Tensors&) { return false; }
Tensors GraphedStep::replay(const Tensors& inputs) { return run(inputs); }

#endif

}  // namespace ditto::nn
