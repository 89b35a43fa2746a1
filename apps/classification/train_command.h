// The command `train`: trains the runs of a plan (--compare, --sweep, --seeds) and writes the run
// directory with weights, metrics and report.
#pragma once

#include "apps/classification/evaluation.h"
#include "apps/classification/run_plan.h"
#include "apps/classification/run_saver.h"
#include "apps/classification/trainer.h"
#include "apps/common/command_line.h"
#include "apps/common/progress.h"
#include "apps/common/report.h"
#include "apps/common/run_directory.h"

namespace ditto::apps {

class TrainCommand {
 public:
  // `phases`: the default of --phases, which tells the commands train, pretrain and linear apart.
  explicit TrainCommand(const std::string& phases = "auto");
  void declare(Config& config);
  void run(const Invocation& invocation);

 private:
  // Trains one run; nothing when a signal ended it. `former` is what a resumed run has recorded.
  std::optional<RunRecord> train(const PlannedRun& planned, Trainer& trainer,
                                 const Invocation& invocation, RunDirectory& run,
                                 Progress& progress, RunSaver& saver, const RunRecord* former,
                                 const std::function<void(const std::string&)>& say);
  void finish(const RunPlan& plan, Report& report, const DataPair& data,
              const Invocation& invocation, RunDirectory& run);
  // What the features of the runs tell, where any run trains them by a loss of their own.
  void add_embeddings(const RunPlan& plan, Report& report, const data::ImageDataset& test,
                      RunDirectory& run);

  TrainOptions options_;
  TtaOptions tta_;  // of the final weights
  RunDirectoryOptions directory_;
  bool dry_run_ = false;
  RunRecord failed_;
};

}  // namespace ditto::apps
