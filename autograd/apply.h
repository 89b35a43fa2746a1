// apply<F>(inputs, options...): runs F's forward and records it when a gradient may be asked for.
#pragma once

#include <type_traits>

#include "autograd/function.h"
#include "autograd/grad_mode.h"
#include "autograd/profiler.h"
#include "core/current_op.h"

namespace ditto {

// True when recording is on and some input leads to a leaf that requires a gradient.
bool needs_recording(const Tensors& inputs);
// Links `node` to its inputs and stamps the outputs as made by it.
void record(const std::shared_ptr<Function>& node, const Tensors& inputs,
            std::span<Tensor> outputs);
Tensors detached(const Tensors& inputs);

// F's constructor takes the options; `F::forward(const Tensors& inputs)` returns a Tensor or
// Tensors. forward sees detached inputs and may save whatever backward needs: without recording the
// node dies at once, and its saves with it.
template <class F, class... Options>
auto apply(const Tensors& inputs, Options&&... options) {
  const auto node = make_pooled<F>(std::forward<Options>(options)...);
  const bool recording = needs_recording(inputs);
  auto run = [&] {
    ProfileRegion region(node->name());
    CurrentOp op(node->name());
    NoGrad guard;  // ops used inside forward must not record themselves
    return node->forward(detached(inputs));
  };
  auto result = run();
  if (recording) {
    if constexpr (std::is_same_v<decltype(result), Tensor>)
      record(node, inputs, std::span<Tensor>(&result, 1));
    else
      record(node, inputs, std::span<Tensor>(result.data(), result.size()));
  }
  return result;
}

}  // namespace ditto
