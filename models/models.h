// Models by name, for command lines.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/classifier.h"

namespace ditto::models {

struct ModelOptions {
  int64_t image_size = 32;
  int64_t in_channels = 3;
  // 0: an encoder, which ends with the features that the classifier would read. The mlp has none.
  int64_t num_classes = 10;
  double dropout = 0;  // part of the hidden values that training drops; the mlp alone has it
  nn::HeadOptions head = {};
};

// The accepted names, in the order help texts show them:
//   resnet20 ... resnet110         He et al. 2015 for CIFAR, parameter-free shortcuts (option A)
//   resnet20-b ... resnet110-b     the same with projections (option B)
//   resnet18 ... resnet101         He et al. 2015 for ImageNet, with a stem for small images
//   resnet18-imagenet ...          the same with the ImageNet stem: torchvision's models
//   densenet40, densenet-bc-100    Huang et al. 2017, growth 12
//   mlp                            two hidden layers, 256 and 128 wide
std::vector<std::string> model_names();

// A model with parameters at zero; call nn::init next. "resnet40" of paper 000 has no integer n in
// 6 n + 2; its 0.66 M parameters (Table 2) are those of ResNet-44, so that is what the name gives;
// `note` (if not null) receives a sentence that says so. An unknown name throws with the list.
std::unique_ptr<Classifier> make_model(const std::string& name, const ModelOptions& options,
                                       std::string* note = nullptr);

}  // namespace ditto::models
