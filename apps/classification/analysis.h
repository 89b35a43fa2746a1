// Analysis: what a report says about trained classifiers beyond their curves. Evaluates the weights
// files of a run directory, so that it works after a resumed training as well.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "apps/classification/evaluation.h"
#include "apps/classification/figures.h"
#include "apps/classification/run_plan.h"
#include "apps/common/report.h"

namespace ditto::apps {

// A row for each class: test images, accuracy, precision, and what it is most often taken for.
Table class_table(const Evaluation& evaluation, const std::vector<std::string>& classes);

// The confusion matrix and the reliability diagram of each run, and the accuracies of all classes.
void add_evaluation_figures(Report& report, const std::vector<NamedEvaluation>& runs,
                            const std::vector<std::string>& classes);

// Evaluates <folder>/<run>.safetensors of every completed run of the report, with and (where asked
// for) without `tta`; fills in their RunRecord::evaluation and adds figures: of each loss's run
// with the first seed and the last value of a sweep, at most four, so that a sweep's report stays
// readable. Runs without a file are left
// out. `evaluated` is called after each run.
void add_analysis(Report& report, const RunPlan& plan, const std::filesystem::path& folder,
                  const data::ImageDataset& test, const TtaOptions& tta,
                  const std::function<void(const RunRecord&)>& evaluated = {});

}  // namespace ditto::apps
