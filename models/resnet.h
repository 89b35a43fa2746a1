// ResNet-18, -34, -50 and -101 of He et al. 2015, table 1, with two stems: ImageNet's, and the one
// that papers on CIFAR give the same networks. For the paper's own CIFAR networks see
// models/resnet_cifar.h.
//
// Names, shapes and the place of the strides are torchvision's, so that its weights load
// (conv1, bn1, layer1.0.conv1, ..., layer4.1.bn2, fc).
#pragma once

#include "models/classifier.h"
#include "models/residual_block.h"

namespace ditto::models {

enum class Stem {
  Cifar,     // 3x3 convolution of stride 1
  ImageNet,  // 7x7 convolution of stride 2, 3x3 max pooling of stride 2
};

struct ResNetOptions {
  int depth = 18;  // 18, 34, 50, 101
  Stem stem = Stem::Cifar;
  int64_t in_channels = 3;
  int64_t num_classes = 10;  // 0: no classifier
  nn::HeadOptions head = {};
};

// x (N, H, W, in_channels) -> logits (N, num_classes); without classifier the features.
class ResNet : public Classifier {
 public:
  explicit ResNet(const ResNetOptions& options = {});
  // Pooled, (N, 512), from depth 50 on (N, 2048).
  Tensor features(const Tensor& x) override;

 private:
  Stem stem_;
  nn::Conv2d& conv1_;
  nn::BatchNorm2d& bn1_;
  std::vector<nn::Sequential*> stages_;
};

}  // namespace ditto::models
