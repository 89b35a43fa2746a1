// RunRecord: what a finished or running training told about itself, as plain structs: filled while
// training, written to metrics.jsonl, read back from it, and shown by the report and the table.
#pragma once

#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "apps/common/json.h"
#include "apps/common/metrics.h"
#include "apps/common/table.h"

namespace ditto::apps {

inline constexpr double kNotMeasured = std::numeric_limits<double>::quiet_NaN();

// State after an epoch (event "epoch"). Errors are fractions of wrong top-1 predictions.
struct EpochMetrics {
  double epoch = kNotMeasured;              // epochs done: images seen / training images
  double images = kNotMeasured;             // training images seen since the run began
  double seconds = kNotMeasured;            // since the run began, evaluation included
  double images_per_second = kNotMeasured;  // of this epoch's training, evaluation not included
  double learning_rate = kNotMeasured;      // of the epoch's last step
  double train_loss = kNotMeasured;         // mean over the epoch, of the loss that is minimised
  double train_error = kNotMeasured;        // over the epoch's augmented images
  double test_loss = kNotMeasured;          // cross-entropy
  double test_error = kNotMeasured;
  double ema_test_loss = kNotMeasured;  // the same with averaged weights
  double ema_test_error = kNotMeasured;
  double knn_error = kNotMeasured;  // of the features' nearest neighbours, in contrastive trainings
};

// State at a step (event "step"), for the loss and learning-rate curves.
struct StepMetrics {
  double step = kNotMeasured;
  double epoch = kNotMeasured;  // fractional
  double images = kNotMeasured;
  double loss = kNotMeasured;
  double learning_rate = kNotMeasured;
  // Means over the batch's anchors, SupCon and TCL only (apps/classification/gradient_response.h).
  double gradient_positives = kNotMeasured, gradient_negatives = kNotMeasured;
};

// Of the finished run's weights on the test set (event "evaluation").
struct EvaluationMetrics {
  double top5_accuracy = kNotMeasured;
  double ece = kNotMeasured;              // expected calibration error
  double tta_accuracy = kNotMeasured;     // top-1 with test-time augmentation
  double view_divergence = kNotMeasured;  // mean KL between augmented views of an image
};

struct RunRecord {
  std::string name;                  // "t-cce"
  std::string status = "running";    // then "completed", or why it stopped
  Json config = Json::object();      // resolved options of this run
  double parameters = kNotMeasured;  // trainable numbers of the model
  std::vector<EpochMetrics> epochs;
  std::vector<StepMetrics> steps;
  EvaluationMetrics evaluation;
};

// Keeps a RunRecord and metrics.jsonl in step.
class RunRecorder {
 public:
  // Writes the event "run". `writer` must outlive the recorder.
  RunRecorder(MetricsWriter& writer, std::string name, Json config, double parameters);
  // Goes on with a run whose events are in the file already.
  RunRecorder(MetricsWriter& writer, RunRecord record)
      : writer_(writer), record_(std::move(record)) {}
  void step(const StepMetrics& metrics);
  void epoch(const EpochMetrics& metrics);
  // Writes the event "end"; `status` is "completed" or a sentence.
  void finish(const std::string& status);
  const RunRecord& record() const { return record_; }

 private:
  MetricsWriter& writer_;
  RunRecord record_;
};

// Writes the event "evaluation" of a finished run.
void write_evaluation(MetricsWriter& writer, const RunRecord& run);

// The runs of a metrics.jsonl, in the order of their first events. Throws Error on a malformed file
// or a field of the wrong type.
std::vector<RunRecord> load_runs(const std::filesystem::path& metrics_file);

// The epoch with the lowest test error (the first of several); -1 when none was measured.
int best_epoch(const RunRecord& run);

// One row for each run: final and best test accuracy, test error, accuracy of averaged
// weights, with TTA, top-5, ECE and divergence of views where any run has them, train loss, images
// seen, time, images/s, and the status where one is not "completed". The best of several runs is
// marked.
Table summary_table(const std::vector<RunRecord>& runs);

}  // namespace ditto::apps
