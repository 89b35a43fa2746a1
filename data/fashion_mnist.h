// FashionMNIST and MNIST: 28 x 28 grey images in idx files, padded to 32 x 32 with black, so that
// the networks for CIFAR fit.
//
// Sources: Xiao, Rasul, Vollgraf, "Fashion-MNIST", 2017 (60,000 + 10,000 images); LeCun, Bottou,
// Bengio, Haffner 1998. Debian ships the first as the package dataset-fashion-mnist.
#pragma once

#include "data/dataset.h"

namespace ditto::data {

// Reads {train,t10k}-{images-idx3,labels-idx1}-ubyte, plain or with .gz, from `folder`. images
// (N, 32, 32, 1). Mean and std are those of the padded training images; the fill colour is black.
ImageDataset load_fashion_mnist(const std::filesystem::path& folder, Split split,
                                bool strict = false);
ImageDataset load_mnist(const std::filesystem::path& folder, Split split, bool strict = false);

}  // namespace ditto::data
