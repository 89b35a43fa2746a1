// The two residual blocks of He et al. 2015, figure 5: BasicBlock (two 3x3 convolutions) and
// Bottleneck (1x1, 3x3, 1x1), both with the shortcut around them.
//
// Parameter names follow torchvision (conv1, bn1, ..., downsample.0, downsample.1), and so does the
// stride of a Bottleneck, which sits on the 3x3 convolution (torchvision calls it ResNet v1.5; the
// paper's is on the first 1x1).
#pragma once

#include "nn/batch_norm.h"
#include "nn/conv2d.h"
#include "nn/sequential.h"

namespace ditto::models {

// How a block whose output differs in size from its input passes the input on; He et al. 2015,
// section 3.3.
enum class Shortcut {
  Pad,      // option A: every second pixel, zero channels after the existing ones; no parameters
  Project,  // option B: a strided 1x1 convolution and batch norm
};

// x (N, H, W, in) -> (N, ceil(H / stride), ceil(W / stride), width).
class BasicBlock : public nn::Layer {
 public:
  static constexpr int64_t kExpansion = 1;
  BasicBlock(int64_t in, int64_t width, int stride, Shortcut shortcut = Shortcut::Project);
  Tensor forward(const Tensor& x) override;

 private:
  int64_t extra_channels_;
  int stride_;
  nn::Conv2d& conv1_;
  nn::BatchNorm2d& bn1_;
  nn::Conv2d& conv2_;
  nn::BatchNorm2d& bn2_;
  nn::Sequential* downsample_;  // null: the shortcut is the input, padded where needed
};

// x (N, H, W, in) -> (N, ceil(H / stride), ceil(W / stride), 4 width).
class Bottleneck : public nn::Layer {
 public:
  static constexpr int64_t kExpansion = 4;
  Bottleneck(int64_t in, int64_t width, int stride);
  Tensor forward(const Tensor& x) override;

 private:
  nn::Conv2d& conv1_;
  nn::BatchNorm2d& bn1_;
  nn::Conv2d& conv2_;
  nn::BatchNorm2d& bn2_;
  nn::Conv2d& conv3_;
  nn::BatchNorm2d& bn3_;
  nn::Sequential* downsample_;  // null: the shortcut is the input
};

}  // namespace ditto::models
