// DenseNet of Huang et al. 2017 for 32 x 32 images: three blocks in which every layer reads the
// features of all layers before it and adds k channels of its own.
//
//   plain layer       BN - ReLU - 3x3 convolution to k channels
//   bottleneck layer  BN - ReLU - 1x1 convolution to 4 k - BN - ReLU - 3x3 convolution to k
//   transition        BN - ReLU - 1x1 convolution - 2x2 average pooling
//
// DenseNet-40 has plain layers; DenseNet-BC-100 bottleneck layers and transitions that halve the
// channels. Names follow torchvision's DenseNet (features.conv0,
// features.denseblock1.denselayer1.norm1, ..., features.transition1.conv, features.norm5,
// classifier).
#pragma once

#include "models/classifier.h"
#include "nn/batch_norm.h"
#include "nn/conv2d.h"

namespace ditto::models {

struct DenseNetOptions {
  int depth = 40;  // 3 n + 4; with bottlenecks 6 n + 4
  int64_t growth = 12;
  bool bottleneck = false;
  double compression = 1;      // part of the channels that a transition keeps
  int64_t init_channels = 16;  // of the first convolution; the paper's BC networks have 2 growth
  int64_t in_channels = 3;
  int64_t num_classes = 10;  // 0: no classifier
  nn::HeadOptions head = {};
};

// One layer of a block: x (N, H, W, C) -> (N, H, W, growth), the new channels alone.
class DenseLayer : public nn::Layer {
 public:
  DenseLayer(int64_t in, int64_t growth, bool bottleneck);
  Tensor forward(const Tensor& x) override;

  bool has_bottleneck() const { return conv2_ != nullptr; }
  nn::BatchNorm2d& norm1() { return norm1_; }
  nn::Conv2d& conv1() { return conv1_; }

 private:
  nn::BatchNorm2d& norm1_;
  nn::Conv2d& conv1_;
  nn::BatchNorm2d* norm2_ = nullptr;  // of the bottleneck
  nn::Conv2d* conv2_ = nullptr;
};

// x (N, H, W, C) -> (N, H, W, C + layers growth): the input's channels, then each layer's. Plain
// layers are computed by one op without concatenations (autograd/ops/dense_block.h).
class DenseBlock : public nn::Layer {
 public:
  DenseBlock(int64_t in, int layers, int64_t growth, bool bottleneck);
  Tensor forward(const Tensor& x) override;

 private:
  std::vector<DenseLayer*> layers_;
};

// x (N, H, W, in) -> (N, H / 2, W / 2, out).
class DenseTransition : public nn::Layer {
 public:
  DenseTransition(int64_t in, int64_t out);
  Tensor forward(const Tensor& x) override;

 private:
  nn::BatchNorm2d& norm_;
  nn::Conv2d& conv_;
};

// Everything before the classifier: x (N, H, W, in_channels) -> pooled features (N, channels()).
class DenseFeatures : public nn::Layer {
 public:
  explicit DenseFeatures(const DenseNetOptions& options);
  Tensor forward(const Tensor& x) override;
  int64_t channels() const { return channels_; }

 private:
  int64_t channels_;
  std::vector<nn::Layer*> layers_;  // blocks and transitions
  nn::Conv2d& conv0_;
  nn::BatchNorm2d* norm5_;
};

// x (N, H, W, in_channels) -> logits (N, num_classes); without classifier the features.
class DenseNet : public Classifier {
 public:
  explicit DenseNet(const DenseNetOptions& options = {});
  Tensor features(const Tensor& x) override { return features_(x); }

 private:
  DenseFeatures& features_;
};

}  // namespace ditto::models
