// RunPlan: the trainings that one call of `train` asks for, as plain data: every loss of --compare,
// with every value of --sweep, with every seed of --seeds.
#pragma once

#include <string>
#include <vector>

#include "apps/classification/train_options.h"
#include "apps/common/json.h"

namespace ditto::apps {

struct PlannedRun {
  std::string name;      // "t-cce-rho0.3-seed2": unique in the plan and fit for a file name
  TrainOptions options;  // of this run alone: loss, seed and swept option set, nothing to expand
  Json changes = Json::object();  // the options that the plan set: {"loss": "t-cce", "rho": 0.3}
  std::string value;  // of the swept option, as typed; "": the run does not depend on it
};

struct RunPlan {
  std::string swept;  // name of the swept option, "" without --sweep
  std::vector<PlannedRun> runs;

  std::vector<std::string> losses() const;  // in the order of their first run, like the others
  std::vector<std::string> values() const;
  std::vector<int64_t> seeds() const;
};

// All losses of a value come before the next value, all values of a seed before the next seed: a
// plan that is cut short still compares like with like. A loss that does not use the swept option
// (cce and rho) has one run for each seed, not one for each value.
//
// Throws UsageError on a --sweep that is not NAME=v1,v2,..., on an unknown name (with the nearest
// one), an option that no sweep may vary, a value that is not allowed or occurs twice, and on every
// run that check_options refuses.
RunPlan plan_runs(const TrainOptions& options);

// "cce against t-cce, rho 0.1, 0.3, 1, seeds 1, 2, 3".
std::string plan_title(const RunPlan& plan);

}  // namespace ditto::apps
