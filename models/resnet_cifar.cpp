#include "models/resnet_cifar.h"

#include "autograd/ops/pool2d.h"
#include "autograd/ops/shape_ops.h"
#include "nn/sequential.h"

namespace ditto::models {

BasicBlock::BasicBlock(int64_t in, int64_t out, int stride)
    : extra_channels_(out - in),
      stride_(stride),
      conv1_(child<nn::Conv2d>("conv1", in, out, 3,
                               nn::Conv2dOptions{.stride = stride, .padding = 1, .bias = false})),
      bn1_(child<nn::BatchNorm2d>("bn1", out)),
      conv2_(
          child<nn::Conv2d>("conv2", out, out, 3, nn::Conv2dOptions{.padding = 1, .bias = false})),
      bn2_(child<nn::BatchNorm2d>("bn2", out)) {}

Tensor BasicBlock::forward(const Tensor& x) {
  Tensor shortcut = x;
  if (stride_ > 1) {
    shortcut = slice(shortcut, 1, 0, x.dim(1), stride_);
    shortcut = slice(shortcut, 2, 0, x.dim(2), stride_);
  }
  if (extra_channels_ > 0) shortcut = pad(shortcut, {0, 0, 0, 0}, {0, 0, 0, extra_channels_});
  return bn2_.add_relu(conv2_(bn1_.relu(conv1_(x))), shortcut);
}

ResNetCifar::ResNetCifar(const ResNetCifarOptions& options)
    : conv1_(child<nn::Conv2d>("conv1", options.in_channels, 16, 3,
                               nn::Conv2dOptions{.padding = 1, .bias = false})),
      bn1_(child<nn::BatchNorm2d>("bn1", 16)) {
  check(options.depth >= 8 && (options.depth - 2) % 6 == 0,
        "[resnet] CIFAR depths are 6 n + 2 (20, 32, 44, 56, 110), not", options.depth);
  int64_t width = 16;
  for (int stage = 1; stage <= 3; ++stage) {
    auto& layer = child<nn::Sequential>("layer" + std::to_string(stage));
    const int64_t out = int64_t{8} << stage;
    for (int i = 0; i < (options.depth - 2) / 6; ++i) {
      const int stride = stage > 1 && i == 0 ? 2 : 1;
      blocks_.push_back(&layer.add<BasicBlock>(width, out, stride));
      width = out;
    }
  }
  fc_ = &child<nn::Linear>("fc", width, options.num_classes);
}

Tensor ResNetCifar::features(const Tensor& x) {
  Tensor y = bn1_.relu(conv1_(x));
  for (BasicBlock* block : blocks_) y = block->forward(y);
  return global_avg_pool2d(y);
}

Tensor ResNetCifar::forward(const Tensor& x) { return (*fc_)(features(x)); }

}  // namespace ditto::models
