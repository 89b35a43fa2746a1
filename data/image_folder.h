// Data sets from folders of JPEG and PNG files, in the layout that torchvision made common:
//
//   root/train/cat/1.jpg, root/val/dog/2.png, ...   (the second folder may be val, valid or test)
//   root/cat/1.jpg, root/dog/2.png, ...             (a part of each class becomes the test set)
//
// The folders of classes, sorted by name, are the classes 0, 1, ...; they may have sub-folders.
// Names that start with a dot are ignored; other files than images, symbolic links to folders and
// links that lead out of the root are ignored with a warning. Nothing is decoded before it is
// needed, so an unreadable image shows when its batch is made.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace ditto::data {

// The image files (.jpg, .jpeg, .png, in any case) below `folder`: sorted by folder, then by name.
// What is odd goes to `warnings`. Throws "[image_folder] ..." when a folder cannot be read.
std::vector<std::filesystem::path> list_images(const std::filesystem::path& folder,
                                               std::vector<std::string>* warnings = nullptr);

struct ImageFolderOptions {
  int64_t image_size = 224;  // side of the square that the policies of data/augment.h make
  OnBadImage on_bad_image = OnBadImage::Error;
  CacheOptions cache = {};
  ChannelStatistics statistics = imagenet_statistics();
  // Without folders for train and val: every image i of a class (in the order of the files) with
  // i % holdout == holdout - 1 is in the test set.
  int holdout = 5;
};

// RGB images of any size. Throws "[image_folder] ..." with the folder when there is none, when it
// has no classes, when a class is empty, or when the test set has a class that training lacks.
ImageDataset load_image_folder(const std::filesystem::path& root, Split split,
                               const ImageFolderOptions& options = {});

}  // namespace ditto::data
