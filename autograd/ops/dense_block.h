// A DenseNet block as one differentiable operation, without the copies of its concatenations.
// How it is computed: kernels/dense_block.h.
#pragma once

#include "autograd/ops/batch_norm.h"
#include "core/tensor.h"

namespace ditto {

// One layer, which reads C channels and adds k: batch norm, ReLU, convolution of stride 1 that
// keeps the image's size.
struct DenseLayerTensors {
  Tensor gamma, beta;                // (C)
  Tensor running_mean, running_var;  // (C), updated in place while training
  Tensor weight;                     // (k, s, s, C), s odd
};

// x (N, H, W, C) -> (N, H, W, C + k1 + k2 + ...): the values and gradients of
//   for each layer: x = concat({x, conv2d(batch_norm(x, ..., relu), weight)}, 3)
// up to rounding. In training a channel's statistics are computed once, for all layers that read
// it. params.relu is taken as true. Errors as of batch_norm and conv2d.
Tensor dense_block(const Tensor& x, const PoolVector<DenseLayerTensors>& layers,
                   const BatchNormParams& params = {});

}  // namespace ditto
