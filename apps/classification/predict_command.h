// The command `predict`: classifies images from JPEG and PNG files with saved weights, which know
// their classes, input size and normalisation.
#pragma once

#include <string>

#include "apps/classification/evaluation.h"
#include "apps/classification/weights.h"
#include "apps/common/command_line.h"
#include "apps/common/device_options.h"

namespace ditto::apps {

struct FilePrediction {
  std::string file;
  // The most probable classes, best first: index, name and probability; empty after an error.
  struct Guess {
    int64_t index = 0;
    std::string name;
    double probability = 0;
  };
  std::vector<Guess> guesses;
  std::string error;  // why the file could not be read, else ""
};

// Classifies the files in their order, the `top` most probable classes each. Images are resized and
// cut to the model's input. What cannot be read gets an error instead; throws "[predict] ..." when
// the weights lack mean and std.
std::vector<FilePrediction> predict_files(const TrainedModel& trained,
                                          const std::vector<std::filesystem::path>& files,
                                          int64_t top, const TtaOptions& tta = {});

// A line for each file: file, class_1, probability_1, ..., class_<top>, probability_<top>, error.
std::string predictions_csv(const std::vector<FilePrediction>& predictions, int64_t top);
// An array of {"file", "predictions": [{"class", "index", "probability"}, ...]} or
// {"file", "error"}.
std::string predictions_json(const std::vector<FilePrediction>& predictions);

class PredictCommand {
 public:
  void declare(Config& config);
  void run(const Invocation& invocation);

 private:
  TtaOptions tta_;
  std::string weights_, input_, output_;
  int64_t top_ = 1;
  int threads_ = 0;
  DeviceOptions compute_;
};

}  // namespace ditto::apps
