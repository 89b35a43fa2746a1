// --dry-run: everything that a training does, once and small, before hours are spent on it.
#pragma once

#include <string>

#include "apps/classification/run_plan.h"
#include "apps/classification/trainer.h"

namespace ditto::apps {

// For each run of the plan: one training step, one evaluation of at most 250 test images, one
// checkpoint saved beside `run_dir` ("": in runs/), loaded into a second trainer and compared bit
// for bit. Prints a line for each and a summary, and leaves nothing behind. Throws Error at the
// first thing that is wrong.
void dry_run(const RunPlan& plan, const DataPair& data, const std::string& run_dir);

}  // namespace ditto::apps
