// What a plan with several values or seeds found: test accuracies by loss, value and seed, as a
// table, as a CSV file and as a curve over the swept option (figure 4 of paper 000 when that option
// is replicas).
#pragma once

#include <string>
#include <vector>

#include "apps/classification/run_plan.h"
#include "apps/common/report.h"
#include "apps/common/run_record.h"
#include "apps/common/table.h"

namespace ditto::apps {

// All seeds of one loss and value.
struct SweepRow {
  std::string loss, value;          // value "": the loss does not depend on the swept option
  std::vector<double> accuracies;   // after the last epoch, for each seed; NaN: not measured
  double mean = kNotMeasured;       // over the measured seeds
  double deviation = kNotMeasured;  // sample standard deviation (n - 1); NaN for one seed
  // Differences to the plan's first loss at the same value (or at none), seed by seed.
  double gain = kNotMeasured, gain_deviation = kNotMeasured;
};

// Has the plan more runs than losses?
bool is_sweep(const RunPlan& plan);

// In the plan's order. Runs are found by name; a run that is missing was not measured.
std::vector<SweepRow> sweep_rows(const RunPlan& plan, const std::vector<RunRecord>& runs);

// A row for each loss and value: the accuracy with each seed, mean and standard deviation, and the
// gain over the first loss. The best mean is marked.
Table sweep_table(const RunPlan& plan, const std::vector<RunRecord>& runs);

// A line for each run of the plan, after a header line.
std::string sweep_csv(const RunPlan& plan, const std::vector<RunRecord>& runs);

// Accuracy over the swept option's values, a curve for each loss with the standard deviation over
// the seeds as bars; a loss that does not depend on the option is a dashed level. Nothing without a
// swept option.
std::vector<Figure> sweep_figures(const RunPlan& plan, const std::vector<RunRecord>& runs);

}  // namespace ditto::apps
