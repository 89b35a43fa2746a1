#include "apps/classification/sweep_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "apps/common/chart.h"
#include "apps/common/csv.h"
#include "apps/common/text.h"

namespace ditto::apps {
namespace {

const RunRecord* find_run(const std::vector<RunRecord>& runs, const std::string& name) {
  const auto run = std::find_if(runs.begin(), runs.end(),
                                [&](const RunRecord& record) { return record.name == name; });
  return run == runs.end() ? nullptr : &*run;
}

EpochMetrics last_epoch(const RunRecord* run) {
  return run && !run->epochs.empty() ? run->epochs.back() : EpochMetrics{};
}

// A run that stopped early has an accuracy, but not that of a finished training.
double final_accuracy(const RunRecord* run) {
  return run && run->status == "completed" ? 1 - last_epoch(run).test_error : kNotMeasured;
}

void mean_and_deviation(const std::vector<double>& values, double& mean, double& deviation) {
  double sum = 0, squares = 0, n = 0;
  for (double v : values)
    if (!std::isnan(v)) sum += v, ++n;
  if (n == 0) return;
  mean = sum / n;
  for (double v : values)
    if (!std::isnan(v)) squares += (v - mean) * (v - mean);
  if (n > 1) deviation = std::sqrt(squares / (n - 1));
}

// "+0.73" percentage points.
std::string points_text(double difference) {
  return std::isnan(difference) ? "--" : fmt::format("{:+.2f}", 100 * difference);
}

}  // namespace

bool is_sweep(const RunPlan& plan) { return plan.runs.size() > plan.losses().size(); }

std::vector<SweepRow> sweep_rows(const RunPlan& plan, const std::vector<RunRecord>& runs) {
  const std::vector<int64_t> seeds = plan.seeds();
  std::vector<SweepRow> rows;
  const auto row_of = [&](const std::string& loss, const std::string& value) {
    return std::find_if(rows.begin(), rows.end(), [&](const SweepRow& row) {
      return row.loss == loss && row.value == value;
    });
  };
  for (const PlannedRun& run : plan.runs) {
    auto row = row_of(run.options.loss, run.value);
    if (row == rows.end())
      row = rows.insert(rows.end(), {.loss = run.options.loss,
                                     .value = run.value,
                                     .accuracies = std::vector(seeds.size(), kNotMeasured)});
    const auto seed = std::find(seeds.begin(), seeds.end(), run.options.seed) - seeds.begin();
    row->accuracies[static_cast<size_t>(seed)] = final_accuracy(find_run(runs, run.name));
  }
  for (SweepRow& row : rows) {
    mean_and_deviation(row.accuracies, row.mean, row.deviation);
    const std::string first = plan.runs.front().options.loss;
    auto base = row_of(first, row.value);
    if (base == rows.end()) base = row_of(first, "");
    if (row.loss == first || base == rows.end()) continue;
    std::vector<double> differences;
    for (size_t i = 0; i < seeds.size(); ++i)
      differences.push_back(row.accuracies[i] - base->accuracies[i]);
    mean_and_deviation(differences, row.gain, row.gain_deviation);
  }
  return rows;
}

Table sweep_table(const RunPlan& plan, const std::vector<RunRecord>& runs) {
  const std::vector<SweepRow> rows = sweep_rows(plan, runs);
  const std::vector<int64_t> seeds = plan.seeds();
  const bool several_seeds = seeds.size() > 1, several_losses = plan.losses().size() > 1;
  Table table;
  table.columns = {{"loss"}};
  if (!plan.swept.empty()) table.columns.push_back({plan.swept, true});
  if (several_seeds)
    for (int64_t seed : seeds) table.columns.push_back({fmt::format("seed {}", seed), true});
  table.columns.push_back({several_seeds ? "mean accuracy" : "test accuracy", true});
  const int mean_column = static_cast<int>(table.columns.size()) - 1;
  if (several_seeds) table.columns.push_back({"std. dev.", true});
  if (several_losses)
    table.columns.push_back({fmt::format("points over {}", plan.runs.front().options.loss), true});
  double best = -1;
  for (const SweepRow& row : rows) {
    std::vector<std::string> cells = {row.loss};
    if (!plan.swept.empty()) cells.push_back(row.value.empty() ? "any" : row.value);
    if (several_seeds)
      for (double accuracy : row.accuracies) cells.push_back(percent_text(accuracy));
    cells.push_back(percent_text(row.mean));
    if (several_seeds)
      cells.push_back(std::isnan(row.deviation) ? "--"
                                                : fmt::format("{:.2f}", 100 * row.deviation));
    if (several_losses) {
      const bool first = row.loss == plan.runs.front().options.loss;
      std::string gain = first ? "" : points_text(row.gain);
      if (!std::isnan(row.gain_deviation))
        gain += fmt::format(" \u00b1 {:.2f}", 100 * row.gain_deviation);
      cells.push_back(gain);
    }
    table.add_row(std::move(cells));
    if (row.mean > best) best = row.mean;
  }
  for (size_t r = 0; r < rows.size(); ++r)
    if (rows.size() > 1 && rows[r].mean == best)
      table.best.emplace_back(static_cast<int>(r), mean_column);
  return table;
}

std::string sweep_csv(const RunPlan& plan, const std::vector<RunRecord>& runs) {
  std::string out =
      csv_line({"run", "loss", "option", "value", "seed", "test_accuracy", "best_test_accuracy",
                "test_loss", "images_seen", "seconds", "status"});
  for (const PlannedRun& planned : plan.runs) {
    const RunRecord* run = find_run(runs, planned.name);
    const EpochMetrics last = last_epoch(run);
    const int best = run ? best_epoch(*run) : -1;
    out +=
        csv_line({planned.name, planned.options.loss, plan.swept, planned.value,
                  std::to_string(planned.options.seed), csv_number(1 - last.test_error),
                  best < 0 ? "" : csv_number(1 - run->epochs[static_cast<size_t>(best)].test_error),
                  csv_number(last.test_loss), csv_number(last.images), csv_number(last.seconds),
                  run ? run->status : "not started"});
  }
  return out;
}

std::vector<Figure> sweep_figures(const RunPlan& plan, const std::vector<RunRecord>& runs) {
  const std::vector<std::string> values = plan.values(), losses = plan.losses();
  if (plan.swept.empty()) return {};
  const bool of_replicas = plan.swept == "replicas" || plan.swept == "cce-replicas";
  Chart chart;
  chart.title = "Test accuracy against " + std::string(of_replicas ? "replicas m" : plan.swept);
  chart.x_label = of_replicas ? "replicas of each image in a batch, m" : plan.swept;
  chart.y_label = "top-1 accuracy";
  chart.y_style = NumberStyle::Percent;
  // Equal distances: values such as 0.1, 0.3, 1, 3 or 1, 2, 4, 8 have equal ratios, and names have
  // no distances at all.
  for (size_t v = 0; v < values.size(); ++v)
    chart.x_ticks.push_back({static_cast<double>(v), values[v]});
  for (const SweepRow& row : sweep_rows(plan, runs)) {
    const auto colour = std::find(losses.begin(), losses.end(), row.loss) - losses.begin();
    if (row.value.empty()) {
      const double last = static_cast<double>(std::max<size_t>(values.size(), 2) - 1);
      chart.series.push_back({.name = row.loss,
                              .x = {0, last},
                              .y = {row.mean, row.mean},
                              .colour = static_cast<int>(colour),
                              .dashed = true});
      continue;
    }
    auto series = std::find_if(chart.series.begin(), chart.series.end(),
                               [&](const Series& s) { return s.name == row.loss; });
    if (series == chart.series.end())
      series = chart.series.insert(chart.series.end(),
                                   {.name = row.loss, .colour = static_cast<int>(colour)});
    series->x.push_back(
        static_cast<double>(std::find(values.begin(), values.end(), row.value) - values.begin()));
    series->y.push_back(row.mean);
    series->spread.push_back(row.deviation);
  }
  std::string caption = "Accuracy on the test set after equally many images seen";
  // Another batch size cannot always make up the same number of rows.
  caption += plan.swept == "batch" ? ", to within half a batch." : ".";
  if (plan.seeds().size() > 1)
    caption += fmt::format(" Mean of {} seeds; bars: one standard deviation.", plan.seeds().size());
  for (const Series& series : chart.series)
    if (series.dashed)
      caption += fmt::format(" {} does not depend on {}.", series.name, plan.swept);
  return {{.name = of_replicas ? "accuracy_against_m" : "sweep",
           .caption = caption,
           .svg = render_svg(chart),
           .section = "Accuracy over the sweep"}};
}

}  // namespace ditto::apps
