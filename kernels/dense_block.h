// One layer of a DenseNet block (Huang et al. 2017): batch norm, ReLU and convolution over all
// channels so far, whose output is appended to them; forward and backward, in place in one buffer.
//
//   features[..., in : in + k] = conv2d(relu(gamma (features[..., : in] - mean) invstd + beta), w)
//
// All channels of a block live in one buffer (N, H, W, C) and are never copied: a layer reads a
// prefix of every row and writes the k channels behind it. The work is done a few images at a time,
// one thread each, so that the normalised input, which only the convolution reads, stays in the
// cache and is never stored: the backward pass computes it again, and memory is linear in the depth
// (Pleiss et al. 2017).
#pragma once

#include "core/context.h"
#include "core/view.h"

namespace ditto::kernels {

// What a layer's norm applies: (in) each, or longer, of which the first `in` are read. gamma and
// beta are the layer's; in training, mean and invstd are the channels' and the same for all layers.
struct DenseNorm {
  View mean, invstd, gamma, beta;
};

// features (N, H, W, C) contiguous; w (k, s, s, in), s odd, padded by s / 2. Writes channels
// [in, in + k), and their mean and biased variance over N, H, W to `mean` and `variance` (k) where
// these are defined. The same call with the same number of threads gives the same bits.
void dense_layer_forward(CpuContext& ctx, const View& features, const DenseNorm& norm,
                         const View& w, const View& mean, const View& variance);

// Layers are gone through from the last to the first, with one gradient buffer (N, H, W, C) for
// all. The share of a channel's gradient that goes through its statistics is
//   pending[0] (x - mean) + pending[1],
// the same two numbers for the whole channel: they are summed over the layers in `pending` (2, C)
// f64, and added when the channel's gradient is complete.
//
// Reads the gradient of channels [in, in + k), adds to that of [0, in) and to their pending;
// writes dgamma, dbeta (in) and dw. `training`: statistics depend on x; norm.mean then has C
// entries. Otherwise pending stays zero.
void dense_layer_backward(CpuContext& ctx, const View& features, const View& gradient,
                          const DenseNorm& norm, const View& w, bool training, const View& pending,
                          const View& dgamma, const View& dbeta, const View& dw);

// The complete gradient of the first channels: dx (N, H, W, c) from the gradient buffer and
// pending; mean as above.
void dense_block_input_gradient(CpuContext& ctx, const View& features, const View& gradient,
                                const View& mean, const View& pending, const View& dx);

// The same on the device of `ctx`, over whole batches: the normalised input of a layer lies in
// memory while its convolution runs.
void dense_layer_forward(CudaContext& ctx, const View& features, const DenseNorm& norm,
                         const View& w, const View& mean, const View& variance);
void dense_layer_backward(CudaContext& ctx, const View& features, const View& gradient,
                          const DenseNorm& norm, const View& w, bool training, const View& pending,
                          const View& dgamma, const View& dbeta, const View& dw);
void dense_block_input_gradient(CudaContext& ctx, const View& features, const View& gradient,
                                const View& mean, const View& pending, const View& dx);

}  // namespace ditto::kernels
