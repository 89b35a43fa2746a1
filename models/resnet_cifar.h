// The CIFAR ResNets of He et al. 2015, section 4.2: depth 6 n + 2 (20, 32, 44, 56, 110), widths 16,
// 32, 64.
//
// Shortcuts are the paper's option A: where a stage halves the image, every second pixel is taken
// and zero channels are appended after the existing ones; no parameters. Parameter names follow
// torchvision (conv1, bn1, layer1.0.conv1, ..., fc).
#pragma once

#include "nn/batch_norm.h"
#include "nn/conv2d.h"
#include "nn/linear.h"

namespace ditto::models {

// Two 3x3 convolutions with a shortcut around them.
class BasicBlock : public nn::Layer {
 public:
  BasicBlock(int64_t in, int64_t out, int stride);
  Tensor forward(const Tensor& x) override;

 private:
  int64_t extra_channels_;
  int stride_;
  nn::Conv2d& conv1_;
  nn::BatchNorm2d& bn1_;
  nn::Conv2d& conv2_;
  nn::BatchNorm2d& bn2_;
};

struct ResNetCifarOptions {
  int depth = 20;  // 6 n + 2
  int64_t in_channels = 3;
  int64_t num_classes = 10;
};

// x (N, H, W, in_channels) -> logits (N, num_classes).
class ResNetCifar : public nn::Layer {
 public:
  explicit ResNetCifar(const ResNetCifarOptions& options = {});
  Tensor forward(const Tensor& x) override;
  // The pooled features (N, 64) before the classifier.
  Tensor features(const Tensor& x);

 private:
  nn::Conv2d& conv1_;
  nn::BatchNorm2d& bn1_;
  std::vector<BasicBlock*> blocks_;
  nn::Linear* fc_;
};

}  // namespace ditto::models
