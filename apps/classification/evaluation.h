// Evaluation of a classifier beyond its accuracy: the probabilities of every test image, with or
// without test-time augmentation, and what follows from them: top-1 and top-5, confusion matrix,
// accuracy of each class, calibration.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "apps/common/config.h"
#include "data/dataset.h"
#include "data/transform.h"
#include "nn/layer.h"

namespace ditto::apps {

// Test-time augmentation: the mean of the probabilities that the views of an image get. A class
// does not move when its image does, so nothing has to be mapped back.
struct TtaOptions {
  std::vector<std::string> views;  // of "mirror", "shift"; empty: the image alone
  int shift = 1;                   // pixels

  bool enabled() const { return !views.empty(); }
  // "mirror, shift by 1 pixel: 10 views".
  std::string text() const;
};
// Declares --tta and --tta-shift.
void declare(Config& config, TtaOptions& options);

// The views: the image, with "shift" also moved left, right, up and down (what comes in has the
// fill colour), and with "mirror" all of these mirrored left-right.
// `evaluation` is the policy for an image without TTA.
std::vector<std::shared_ptr<const data::Augment>> tta_views(
    const TtaOptions& options, std::shared_ptr<const data::Augment> evaluation);

// Probabilities (N, K) of logits (N, K) f32, row by row, in double: that of a wrong class may be
// far below the smallest float. Throws "[predict] ..." with the row when a logit is not finite.
std::vector<double> softmax_rows(const Tensor& logits);

struct Predictions {
  int64_t classes = 0;
  std::vector<double> probabilities;  // (N, classes), row by row
  std::vector<int64_t> labels;        // N
  std::vector<int64_t> samples = {};  // N: index in the data set

  int64_t size() const { return static_cast<int64_t>(labels.size()); }
  std::span<const double> row(int64_t image) const {
    return {probabilities.data() + image * classes, static_cast<size_t>(classes)};
  }
  // The `count` most probable classes of an image, the first of equals first, at most all.
  std::vector<int64_t> top(int64_t image, int64_t count) const;
};

// Probabilities of every image of the data set, in its order; images that the data set leaves out
// because they cannot be read are missing. `on_batch` is called after each batch
// of each view with its number of images. Throws "[predict] ..." when the model's outputs are not
// finite.
Predictions predict(nn::Layer& model, const data::ImageDataset& dataset, const TtaOptions& tta = {},
                    int64_t batch = 250, const std::function<void(int64_t)>& on_batch = {});

// Images whose highest probability lies in (low, high].
struct CalibrationBin {
  double low = 0, high = 0;
  int64_t images = 0;
  double confidence = 0;  // mean highest probability; 0 when there are no images
  double accuracy = 0;
};

struct Evaluation {
  int64_t images = 0, classes = 0;
  double top1 = 0, top5 = 0;       // shares of images; top5 is 1 for five classes or fewer
  double nll = 0;                  // mean of -log p(label), in nats
  double ece = 0;                  // expected calibration error
  std::vector<int64_t> confusion;  // (classes, classes): row = label, column = prediction
  std::vector<CalibrationBin> bins;

  int64_t count(int64_t label, int64_t prediction) const {
    return confusion[static_cast<size_t>(label * classes + prediction)];
  }
  int64_t class_images(int64_t label) const;
  // Share of a class's images that are predicted right, and of the predictions of a class that are
  // right; NaN when there are none.
  double class_accuracy(int64_t label) const;
  double class_precision(int64_t label) const;
};

// ECE = sum over bins of (images in bin / images) |accuracy - confidence|, bins of equal width over
// the highest probability: Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural
// networks", ICML 2017, equation 3, there with 15 bins. Throws on empty predictions.
Evaluation evaluate_predictions(const Predictions& predictions, int bins = 15);

// The wrong (label, prediction) pairs by number of images, most first.
std::vector<std::pair<int64_t, int64_t>> worst_confusions(const Evaluation& evaluation,
                                                          size_t most);

}  // namespace ditto::apps
