// Gradient checkpointing, or recomputation: memory for time. (Not the checkpoints on disk.)
//
//   Tensor y = recompute([&](const Tensors& in) { return loss_of_block(in[0]); }, {x});
//
// What f makes on its way to the result is not kept: the backward pass calls f again. A sum over
// blocks of rows thereby needs the memory of one block at a time. Source: Chen et al. 2016
// (arXiv 1604.06174), torch.utils.checkpoint.
#pragma once

#include <functional>

#include "core/tensor.h"

namespace ditto {

// f(inputs), any shape. f is called once now and once for the backward pass, with detached inputs
// of the same values: it must give the same result both times (no dropout, no counters), and what
// shall have a gradient must be among `inputs`. Arithmetic is that of a MixedPrecision alive now.
Tensor recompute(std::function<Tensor(const Tensors& inputs)> f, const Tensors& inputs);

}  // namespace ditto
