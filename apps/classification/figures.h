// The figures of an evaluated classifier: confusion matrix, accuracy of each class, reliability
// diagram, and figure 3 of paper 000 (the predictions of an image's views).
#pragma once

#include <string>
#include <vector>

#include "apps/classification/evaluation.h"
#include "apps/classification/views.h"
#include "apps/common/report.h"

namespace ditto::apps {

// What is shown of a run. The names of files and captions come from `run`.
struct NamedEvaluation {
  std::string run;
  Evaluation evaluation;
};

// Rows are the true classes, columns the predictions; blue is right, orange wrong. Numbers are
// images, where they fit (up to 20 classes). File: confusion_<run>.
Figure confusion_figure(const NamedEvaluation& named, const std::vector<std::string>& classes);

// A group of bars for each class, a bar for each run. More than 20 classes are sorted by the first
// run's accuracy. File: class_accuracy.
Figure class_accuracy_figure(const std::vector<NamedEvaluation>& runs,
                             const std::vector<std::string>& classes);

// Accuracy against confidence in bins, with the number of images of each bin below: the reliability
// diagram of Guo et al. (evaluation.h). File: calibration_<run>.
Figure calibration_figure(const NamedEvaluation& named);

struct NamedViews {
  std::string run;
  ViewPredictions predictions;
};

// For one image, the views and, for each run, the matrix of probabilities: classes x views. With
// more than ten classes the ten most probable ones and the true one are shown. The image is the one
// whose views the first run agrees on least. File: views.
Figure views_figure(const std::vector<NamedViews>& runs, const ViewSet& set,
                    const std::vector<int64_t>& labels, const std::vector<std::string>& classes);

}  // namespace ditto::apps
