// Reverse-mode differentiation over the recorded graph.
#pragma once

#include "core/tensor.h"

namespace ditto {

// Accumulates sum_i d(outputs[i])/d(leaf) * grads[i] into every leaf that requires a gradient.
// Undefined grads stand for 1 and need a one-element output. The graph is freed unless
// retain_graph; using it again then throws. Iterative, so graphs may be millions of nodes deep;
// nodes run in reverse order of creation.
void backward(const Tensors& outputs, const Tensors& grads, bool retain_graph = false);

}  // namespace ditto
