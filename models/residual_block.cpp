#include "models/residual_block.h"

#include "autograd/ops/shape_ops.h"

namespace ditto::models {
namespace {

nn::Conv2dOptions conv3x3(int stride = 1) {
  return {.stride = stride, .padding = 1, .bias = false};
}
nn::Conv2dOptions conv1x1(int stride = 1) { return {.stride = stride, .bias = false}; }

void fill_projection(nn::Sequential& downsample, int64_t in, int64_t out, int stride) {
  downsample.add<nn::Conv2d>(in, out, 1, conv1x1(stride));
  downsample.add<nn::BatchNorm2d>(out);
}

}  // namespace

BasicBlock::BasicBlock(int64_t in, int64_t width, int stride, Shortcut shortcut)
    : extra_channels_(width - in),
      stride_(stride),
      conv1_(child<nn::Conv2d>("conv1", in, width, 3, conv3x3(stride))),
      bn1_(child<nn::BatchNorm2d>("bn1", width)),
      conv2_(child<nn::Conv2d>("conv2", width, width, 3, conv3x3())),
      bn2_(child<nn::BatchNorm2d>("bn2", width)),
      downsample_(shortcut == Shortcut::Project && (stride != 1 || in != width)
                      ? &child<nn::Sequential>("downsample")
                      : nullptr) {
  if (downsample_) fill_projection(*downsample_, in, width, stride);
  check(shortcut == Shortcut::Project || extra_channels_ >= 0,
        "[resnet] option A cannot take channels away:", in, "to", width);
}

Tensor BasicBlock::forward(const Tensor& x) {
  Tensor shortcut = x;
  if (downsample_) {
    shortcut = (*downsample_)(x);
  } else {
    if (stride_ > 1) {
      shortcut = slice(shortcut, 1, 0, x.dim(1), stride_);
      shortcut = slice(shortcut, 2, 0, x.dim(2), stride_);
    }
    if (extra_channels_ > 0) shortcut = pad(shortcut, {0, 0, 0, 0}, {0, 0, 0, extra_channels_});
  }
  return bn2_.add_relu(conv2_(bn1_.relu(conv1_(x))), shortcut);
}

Bottleneck::Bottleneck(int64_t in, int64_t width, int stride)
    : conv1_(child<nn::Conv2d>("conv1", in, width, 1, conv1x1())),
      bn1_(child<nn::BatchNorm2d>("bn1", width)),
      conv2_(child<nn::Conv2d>("conv2", width, width, 3, conv3x3(stride))),
      bn2_(child<nn::BatchNorm2d>("bn2", width)),
      conv3_(child<nn::Conv2d>("conv3", width, kExpansion * width, 1, conv1x1())),
      bn3_(child<nn::BatchNorm2d>("bn3", kExpansion * width)),
      downsample_(stride != 1 || in != kExpansion * width ? &child<nn::Sequential>("downsample")
                                                          : nullptr) {
  if (downsample_) fill_projection(*downsample_, in, kExpansion * width, stride);
}

Tensor Bottleneck::forward(const Tensor& x) {
  const Tensor shortcut = downsample_ ? (*downsample_)(x) : x;
  const Tensor y = bn2_.relu(conv2_(bn1_.relu(conv1_(x))));
  return bn3_.add_relu(conv3_(y), shortcut);
}

}  // namespace ditto::models
