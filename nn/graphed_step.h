// GraphedStep: forward, loss and backward of a training step as one CUDA graph.
//
// A small network spends its time on launching kernels, hundreds per step; a captured step is one
// launch. What follows backward (clipping, the optimizer, averaged weights) stays outside: it is a
// few launches for all parameters together, and its numbers (learning rate, bias corrections)
// change from step to step.
//
//   nn::GraphedStep step(model, [&](const Tensors& in) -> Tensors {
//     const Tensor logits = model(in[0]), value = loss(logits, in[1]);
//     value.backward();
//     return {value, logits};
//   });
//   for (...) {
//     const Tensors out = step({images, labels});
//     optimizer.step();
//   }
//
// Results, gradients, batch statistics, counters and dropout masks are those of the same step run
// without a graph, bit for bit.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "nn/module.h"

namespace ditto {
class CudaGraph;
}

namespace ditto::nn {

class GraphedStep {
 public:
  // Computes results and gradients from the inputs (on the module's device), and nothing else on
  // the host: it is called for the first steps and once for the capture, not for every step. It may
  // use the module, and other tensors that keep their storage.
  using Step = std::function<Tensors(const Tensors& inputs)>;
  using Say = std::function<void(const std::string& message)>;

  // `say` gets one line, once, for each reason why steps run without the graph; by default stderr.
  // The module must outlive this and stay on its device.
  GraphedStep(Module& module, Step step, Say say = {});
  ~GraphedStep();
  GraphedStep(const GraphedStep&) = delete;
  GraphedStep& operator=(const GraphedStep&) = delete;

  // Drops the module's gradients and runs the step: the first two as they are, then the third is
  // captured, and replayed for this and all following inputs of the same shapes and dtypes in
  // training mode. Anything else, and a step that cannot be captured, runs as it is. Inputs may be
  // undefined, or on the CPU. Results carry no gradient; those of a replay, and its gradients, are
  // overwritten by the next one.
  Tensors operator()(const Tensors& inputs);

  bool captured() const { return graph_ != nullptr; }
  int64_t replays() const { return replays_; }
  // Kernels, copies and fills in the graph, and the device memory that stays allocated for it; 0
  // without one.
  int64_t nodes() const;
  int64_t memory_bytes() const;

 private:
  Tensors run(const Tensors& inputs);
  bool try_capture(const Tensors& inputs);
  Tensors replay(const Tensors& inputs);
  std::string difference(const Tensors& inputs) const;
  void tell(const std::string& reason);

  Module& module_;
  Step step_;
  Say say_;
  std::unique_ptr<CudaGraph> graph_;
  bool possible_ = true;
  int64_t steps_ = 0, replays_ = 0;
  Tensors inputs_, outputs_;  // of the graph
  struct Gradient {
    Tensor parameter, gradient;
  };
  std::vector<Gradient> gradients_;
  Tensors buffers_;  // that replays write: batch statistics
  std::set<std::string> told_;
};

}  // namespace ditto::nn
