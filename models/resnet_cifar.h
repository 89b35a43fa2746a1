// The CIFAR ResNets of He et al. 2015, section 4.2: depth 6 n + 2 (20, 32, 44, 56, 110), widths 16,
// 32, 64. Parameter names follow torchvision (conv1, bn1, layer1.0.conv1, ..., fc).
#pragma once

#include "models/classifier.h"
#include "models/residual_block.h"

namespace ditto::models {

struct ResNetCifarOptions {
  int depth = 20;      // 6 n + 2
  int64_t width = 16;  // of the first stage; the others have twice and four times that
  int64_t in_channels = 3;
  int64_t num_classes = 10;  // 0: no classifier
  nn::HeadOptions head = {};
  Shortcut shortcut = Shortcut::Pad;  // the paper's choice on CIFAR
};

// x (N, H, W, in_channels) -> logits (N, num_classes); without classifier the features.
class ResNetCifar : public Classifier {
 public:
  explicit ResNetCifar(const ResNetCifarOptions& options = {});
  // Pooled, (N, 4 width).
  Tensor features(const Tensor& x) override;

 private:
  nn::Conv2d& conv1_;
  nn::BatchNorm2d& bn1_;
  std::vector<BasicBlock*> blocks_;
};

}  // namespace ditto::models
