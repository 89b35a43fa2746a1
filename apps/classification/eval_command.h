// The command `eval`: saved weights on a test set: accuracy, top-5, calibration and classes, on the
// terminal and as a report.
#pragma once

#include <string>

#include "apps/classification/evaluation.h"
#include "apps/classification/train_options.h"
#include "apps/common/command_line.h"
#include "apps/common/device_options.h"

namespace ditto::apps {

class EvalCommand {
 public:
  void declare(Config& config);
  void run(const Invocation& invocation);

 private:
  DataOptions options_;
  TtaOptions tta_;
  std::string weights_, report_;
  int64_t knn_ = 0, knn_images_ = 0;
  int threads_ = 0;
  DeviceOptions compute_;
};

}  // namespace ditto::apps
