#include "apps/classification/eval_command.h"

#include <fmt/format.h>

#include "apps/classification/trainer.h"
#include "apps/classification/weights.h"
#include "apps/common/text.h"

namespace ditto::apps {

void EvalCommand::declare(Config& config) {
  apps::declare(config, options_);
  config.group("Evaluation");
  config.add("weights", &weights_, "safetensors file written by train");
  config.add("threads", &threads_, "of the computation; 0: all cores").range(0, 4096);
}

void EvalCommand::run(const Invocation&) {
  if (weights_.empty()) throw UsageError("eval needs --weights FILE");
  if (threads_ > 0) set_num_threads(threads_);
  const TrainedModel trained = load_weights(weights_);
  if (options_.dataset == "auto") options_.dataset = trained.info.dataset;
  const DataPair data = load_data(options_);
  const EvalResult result = evaluate(*trained.model, data.test);
  fmt::print("{}: {} test images, accuracy {}, cross-entropy {:.4f}\n", data.test.name(),
             count_text(double(result.images)), percent_text(result.accuracy), result.loss);
}

}  // namespace ditto::apps
