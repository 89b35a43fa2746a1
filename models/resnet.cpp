#include "models/resnet.h"

#include <array>

#include "autograd/ops/pool2d.h"

namespace ditto::models {
namespace {

// Blocks per stage; from depth 50 on they are bottlenecks.
std::array<int, 4> stage_sizes(int depth) {
  switch (depth) {
    case 18:
      return {2, 2, 2, 2};
    case 34:
    case 50:
      return {3, 4, 6, 3};
    case 101:
      return {3, 4, 23, 3};
    default:
      fail("[resnet] depths are 18, 34, 50 and 101, not", depth);
  }
}

nn::Conv2dOptions stem_conv(Stem stem) {
  return stem == Stem::ImageNet ? nn::Conv2dOptions{.stride = 2, .padding = 3, .bias = false}
                                : nn::Conv2dOptions{.padding = 1, .bias = false};
}

// Appends the blocks of one stage and returns the number of their output channels.
template <class Block>
int64_t fill_stage(nn::Sequential& stage, int blocks, int64_t in, int64_t width, int stride) {
  for (int i = 0; i < blocks; ++i) {
    stage.add<Block>(in, width, i == 0 ? stride : 1);
    in = Block::kExpansion * width;
  }
  return in;
}

}  // namespace

ResNet::ResNet(const ResNetOptions& options)
    : stem_(options.stem),
      conv1_(child<nn::Conv2d>("conv1", options.in_channels, 64,
                               options.stem == Stem::ImageNet ? 7 : 3, stem_conv(options.stem))),
      bn1_(child<nn::BatchNorm2d>("bn1", 64)) {
  check(options.num_classes >= 0, "[resnet] the number of classes is", options.num_classes);
  const std::array<int, 4> sizes = stage_sizes(options.depth);
  int64_t channels = 64;
  for (int i = 0; i < 4; ++i) {
    auto& stage = child<nn::Sequential>("layer" + std::to_string(i + 1));
    const int64_t width = int64_t{64} << i;
    const int stride = i == 0 ? 1 : 2;
    channels = options.depth < 50
                   ? fill_stage<BasicBlock>(stage, sizes[i], channels, width, stride)
                   : fill_stage<Bottleneck>(stage, sizes[i], channels, width, stride);
    stages_.push_back(&stage);
  }
  add_head("fc", channels, options.num_classes, options.head);
}

Tensor ResNet::features(const Tensor& x) {
  Tensor y = bn1_.relu(conv1_(x));
  if (stem_ == Stem::ImageNet) y = max_pool2d(y, {.kernel = 3, .stride = 2, .padding = 1});
  for (nn::Sequential* stage : stages_) y = (*stage)(y);
  return global_avg_pool2d(y);
}

}  // namespace ditto::models
