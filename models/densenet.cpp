#include "models/densenet.h"

#include <cmath>

#include "autograd/ops/dense_block.h"
#include "autograd/ops/pool2d.h"
#include "autograd/ops/shape_ops.h"

namespace ditto::models {
namespace {

constexpr nn::Conv2dOptions k3x3{.padding = 1, .bias = false};
constexpr nn::Conv2dOptions k1x1{.bias = false};

int layers_per_block(const DenseNetOptions& o) {
  const int unit = o.bottleneck ? 6 : 3;
  check(o.depth > 4 && (o.depth - 4) % unit == 0, "[densenet] depths are",
        o.bottleneck ? "6 n + 4" : "3 n + 4", "- not", o.depth);
  return (o.depth - 4) / unit;
}

}  // namespace

DenseLayer::DenseLayer(int64_t in, int64_t growth, bool bottleneck)
    : norm1_(child<nn::BatchNorm2d>("norm1", in)),
      conv1_(bottleneck ? child<nn::Conv2d>("conv1", in, 4 * growth, 1, k1x1)
                        : child<nn::Conv2d>("conv1", in, growth, 3, k3x3)) {
  if (!bottleneck) return;
  norm2_ = &child<nn::BatchNorm2d>("norm2", 4 * growth);
  conv2_ = &child<nn::Conv2d>("conv2", 4 * growth, growth, 3, k3x3);
}

Tensor DenseLayer::forward(const Tensor& x) {
  const Tensor y = conv1_(norm1_.relu(x));
  return conv2_ ? (*conv2_)(norm2_->relu(y)) : y;
}

DenseBlock::DenseBlock(int64_t in, int layers, int64_t growth, bool bottleneck) {
  for (int i = 0; i < layers; ++i)
    layers_.push_back(&child<DenseLayer>("denselayer" + std::to_string(i + 1), in + i * growth,
                                         growth, bottleneck));
}

Tensor DenseBlock::forward(const Tensor& x) {
  if (!layers_[0]->has_bottleneck()) {
    PoolVector<DenseLayerTensors> tensors;
    for (DenseLayer* layer : layers_) {
      nn::BatchNorm2d& norm = layer->norm1();
      tensors.push_back({norm.weight(), norm.bias(), norm.running_mean(), norm.running_var(),
                         layer->conv1().weight()});
      if (training()) norm.count_batch();
    }
    const nn::BatchNormOptions& norm = layers_[0]->norm1().options();
    return dense_block(x, tensors,
                       {.eps = norm.eps, .momentum = norm.momentum, .training = training()});
  }
  Tensor y = x;
  for (DenseLayer* layer : layers_) y = concat({y, (*layer)(y)}, 3);
  return y;
}

DenseTransition::DenseTransition(int64_t in, int64_t out)
    : norm_(child<nn::BatchNorm2d>("norm", in)),
      conv_(child<nn::Conv2d>("conv", in, out, 1, k1x1)) {}

Tensor DenseTransition::forward(const Tensor& x) {
  // The paper pools after the convolution. Both are linear and a 1x1 convolution mixes no pixels,
  // so that the order does not matter; this one convolves a quarter of them.
  return conv_(avg_pool2d(norm_.relu(x), {.kernel = 2, .stride = 2}));
}

DenseFeatures::DenseFeatures(const DenseNetOptions& o)
    : channels_(o.init_channels),
      conv0_(child<nn::Conv2d>("conv0", o.in_channels, o.init_channels, 3, k3x3)) {
  check(o.growth >= 1, "[densenet] growth must be positive:", o.growth);
  check(o.compression > 0 && o.compression <= 1,
        "[densenet] compression must be in (0, 1]:", o.compression);
  const int layers = layers_per_block(o);
  for (int block = 1; block <= 3; ++block) {
    const std::string number = std::to_string(block);
    layers_.push_back(
        &child<DenseBlock>("denseblock" + number, channels_, layers, o.growth, o.bottleneck));
    channels_ += layers * o.growth;
    if (block == 3) break;
    const auto kept = static_cast<int64_t>(std::floor(o.compression * double(channels_)));
    layers_.push_back(&child<DenseTransition>("transition" + number, channels_, kept));
    channels_ = kept;
  }
  norm5_ = &child<nn::BatchNorm2d>("norm5", channels_);
}

Tensor DenseFeatures::forward(const Tensor& x) {
  Tensor y = conv0_(x);
  for (nn::Layer* layer : layers_) y = (*layer)(y);
  return global_avg_pool2d(norm5_->relu(y));
}

DenseNet::DenseNet(const DenseNetOptions& options)
    : features_(child<DenseFeatures>("features", options)) {
  check(options.num_classes >= 0, "[densenet] the number of classes is", options.num_classes);
  add_head("classifier", features_.channels(), options.num_classes, options.head);
}

}  // namespace ditto::models
