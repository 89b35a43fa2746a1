// What can be wrong with a data set, found by looking at all of it: the work of check-data.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/instance_dataset.h"

namespace ditto::apps {

// One line each, beginning with the image or file.
struct DataFindings {
  std::vector<std::string> problems;  // that a training should not meet
  std::vector<std::string> remarks;   // worth a look
  int64_t images = 0, objects = 0;
};

// Reads every image of both sets. Problems: unreadable files, classes without images. Remarks: the
// readers' own, pictures of one colour, and pictures that are there twice (a test set with pictures
// of the training set gives better numbers than it should).
DataFindings check_images(const data::ImageDataset& train, const data::ImageDataset& test);

// Reads every image. Problems: what a lenient reader left out, photographs without annotation and
// annotations without photograph among it, unreadable files, sizes that are not the annotation's,
// boxes with a side under 2 pixels, masks under 16 pixels or not inside their box, images without
// objects where `need_objects`. Remarks: the reader's, pictures of one colour, pictures that are
// there twice, and objects that cover each other almost wholly.
DataFindings check_instances_of(const data::InstanceDataset& dataset, bool need_objects = false);

// The findings as lines for people, the last one a summary.
std::string findings_text(const DataFindings& findings);

}  // namespace ditto::apps
