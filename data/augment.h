// The augmentation of the training apps, from a plain struct of options.
#pragma once

#include "data/dataset.h"
#include "data/transform.h"
#include "data/transforms/affine.h"

namespace ditto::data {

struct AugmentOptions {
  int crop_padding = 0;  // pixels; 0: no random crop
  bool flip = false;     // left-right, with probability 1/2
  AffineOptions affine = {};
  int cutout = 0;  // side of the square; 0: none
};

// affine, crop, flip, cutout (each where switched on), then normalisation. With
// options = {} this is the policy for evaluation. Areas without image get the data set's fill
// colour: for CIFAR the mean, which is 0 after normalisation, for FashionMNIST and MNIST black.
std::shared_ptr<const Augment> make_augment(const AugmentOptions& options,
                                            const ChannelStatistics& statistics);

}  // namespace ditto::data
