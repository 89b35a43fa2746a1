// CIFAR-10 and CIFAR-100 in their official binary layout.
//
// Source: A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009, and
// https://www.cs.toronto.edu/~kriz/cifar.html. A record is the label (CIFAR-100: coarse, then fine)
// and 3072 bytes: the red, green and blue planes of 32 x 32, row by row.
#pragma once

#include "data/dataset.h"

namespace ditto::data {

// Reads data_batch_1.bin ... data_batch_5.bin, or test_batch.bin, from `folder`. images
// (N, 32, 32, 3). Files with any whole number of records, and missing training files as long as one
// is there, give a warning; `strict` demands the official counts and SHA-256. Throws "[cifar] ..."
// with the path and the byte offset on a truncated file or a label out of range.
ImageDataset load_cifar10(const std::filesystem::path& folder, Split split, bool strict = false);

// Reads train.bin or test.bin; labels are the 100 fine ones, with the names of fine_label_names.txt
// where that file is present.
ImageDataset load_cifar100(const std::filesystem::path& folder, Split split, bool strict = false);

}  // namespace ditto::data
