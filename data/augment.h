// The augmentation of the training apps, from a plain struct of options.
#pragma once

#include "data/dataset.h"
#include "data/transform.h"
#include "data/transforms/affine.h"
#include "data/transforms/color_jitter.h"
#include "data/transforms/random_resized_crop.h"

namespace ditto::data {

struct AugmentOptions {
  int crop_padding = 0;  // pixels; 0: no random crop
  bool flip = false;     // left-right, with probability 1/2
  AffineOptions affine = {};
  int cutout = 0;  // side of the square; 0: none
  // The size that images are brought to, with the first step; 0: images have it already.
  int width = 0, height = 0;
  // That step: a random part of the image, or the middle of the image after its shorter side was
  // resized to 256 / 224 of the canvas's.
  bool random_resized_crop = false;
  ResizedCropOptions resized_crop = {};
  JitterOptions jitter = {};
  double rand_affine = 0;  // magnitude of RandAffine, in [0, 1]; 0: none
  // Probabilities; blur and solarize with the defaults of their classes.
  double grayscale = 0, blur = 0, solarize = 0;
};

// resizing, affine (two kinds), crop, flip, colour jitter, grey, blur, solarize, cutout (each where
// switched on), then normalisation. Areas without image get the data set's fill colour: for CIFAR
// the mean, which is 0 after normalisation, for FashionMNIST and MNIST black.
std::shared_ptr<const Augment> make_augment(const AugmentOptions& options,
                                            const ChannelStatistics& statistics);

// The policy for training on this data set: `options`, with the data set's statistics and, where
// its images do not have it, its size.
std::shared_ptr<const Augment> train_augment(AugmentOptions options, const ImageDataset& dataset);
// The policy for evaluation: resizing where it is needed, and normalisation.
std::shared_ptr<const Augment> eval_augment(const ImageDataset& dataset);

}  // namespace ditto::data
