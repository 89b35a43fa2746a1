#include "models/resnet_cifar.h"

#include "autograd/ops/pool2d.h"

namespace ditto::models {

ResNetCifar::ResNetCifar(const ResNetCifarOptions& options)
    : conv1_(child<nn::Conv2d>("conv1", options.in_channels, options.width, 3,
                               nn::Conv2dOptions{.padding = 1, .bias = false})),
      bn1_(child<nn::BatchNorm2d>("bn1", options.width)) {
  check(options.depth >= 8 && (options.depth - 2) % 6 == 0,
        "[resnet] CIFAR depths are 6 n + 2 (20, 32, 44, 56, 110), not", options.depth);
  check(options.num_classes >= 0, "[resnet] the number of classes is", options.num_classes);
  check(options.width >= 1, "[resnet] the width is", options.width);
  int64_t width = options.width;
  for (int stage = 1; stage <= 3; ++stage) {
    auto& layer = child<nn::Sequential>("layer" + std::to_string(stage));
    const int64_t out = options.width << (stage - 1);
    for (int i = 0; i < (options.depth - 2) / 6; ++i) {
      const int stride = stage > 1 && i == 0 ? 2 : 1;
      blocks_.push_back(&layer.add<BasicBlock>(width, out, stride, options.shortcut));
      width = out;
    }
  }
  add_head("fc", width, options.num_classes, options.head);
}

Tensor ResNetCifar::features(const Tensor& x) {
  Tensor y = bn1_.relu(conv1_(x));
  for (BasicBlock* block : blocks_) y = (*block)(y);
  return global_avg_pool2d(y);
}

}  // namespace ditto::models
