// The command `eval`: accuracy and cross-entropy of saved weights on a test set.
#pragma once

#include <string>

#include "apps/classification/train_options.h"
#include "apps/common/command_line.h"

namespace ditto::apps {

class EvalCommand {
 public:
  void declare(Config& config);
  void run(const Invocation& invocation);

 private:
  DataOptions options_;
  std::string weights_;
  int threads_ = 0;
};

}  // namespace ditto::apps
