#include "apps/common/run_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "apps/common/text.h"
#include "core/error.h"

namespace ditto::apps {
namespace {

template <class Metrics>
struct Name {
  const char* key;
  double Metrics::*field;
};

// The one place that ties struct fields to JSON keys.
constexpr Name<EpochMetrics> kEpochFields[] = {
    {"epoch", &EpochMetrics::epoch},
    {"images", &EpochMetrics::images},
    {"seconds", &EpochMetrics::seconds},
    {"images_per_second", &EpochMetrics::images_per_second},
    {"learning_rate", &EpochMetrics::learning_rate},
    {"train_loss", &EpochMetrics::train_loss},
    {"train_error", &EpochMetrics::train_error},
    {"test_loss", &EpochMetrics::test_loss},
    {"test_error", &EpochMetrics::test_error},
};
constexpr Name<StepMetrics> kStepFields[] = {
    {"step", &StepMetrics::step},
    {"epoch", &StepMetrics::epoch},
    {"images", &StepMetrics::images},
    {"loss", &StepMetrics::loss},
    {"learning_rate", &StepMetrics::learning_rate},
};

template <class Metrics, size_t n>
Json to_json(const Metrics& metrics, const Name<Metrics> (&fields)[n]) {
  Json json = Json::object();
  for (const auto& [key, field] : fields) json[key] = metrics.*field;
  return json;
}

template <class Metrics, size_t n>
Metrics from_json(const Json& json, const Name<Metrics> (&fields)[n], const std::string& source) {
  Metrics metrics;
  for (const auto& [key, field] : fields) {
    const auto found = json.find(key);
    if (found == json.end()) continue;
    check(decode_number(*found, metrics.*field), "[load_runs] not a number:", source, key,
          json_line(*found));
  }
  return metrics;
}

std::string text_field(const Json& event, const char* key, const std::string& source) {
  const auto found = event.find(key);
  check(found != event.end() && found->is_string(), "[load_runs] an event lacks the text field",
        key, "in", source);
  return found->get<std::string>();
}

// Training time alone, from each epoch's speed; NaN when it is not known.
double training_seconds(const RunRecord& run) {
  double seconds = 0, seen = 0;
  for (const EpochMetrics& epoch : run.epochs) {
    seconds += (epoch.images - seen) / epoch.images_per_second;
    seen = epoch.images;
  }
  return run.epochs.empty() ? kNotMeasured : seconds;
}

// Marks the cells of `column` whose value is the smallest; nothing unless two values differ.
void mark_smallest(Table& table, int column, const std::vector<double>& values) {
  double low = INFINITY, high = -INFINITY;
  for (double value : values) {
    if (std::isnan(value)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  if (!(low < high)) return;
  for (size_t row = 0; row < values.size(); ++row)
    if (values[row] == low) table.best.emplace_back(static_cast<int>(row), column);
}

}  // namespace

RunRecorder::RunRecorder(MetricsWriter& writer, std::string name, Json config, double parameters)
    : writer_(writer) {
  record_.name = std::move(name);
  record_.config = std::move(config);
  record_.parameters = parameters;
  writer_.write("run", record_.name,
                {{"parameters", record_.parameters}, {"config", record_.config}});
}

void RunRecorder::step(const StepMetrics& metrics) {
  record_.steps.push_back(metrics);
  writer_.write("step", record_.name, to_json(metrics, kStepFields));
}

void RunRecorder::epoch(const EpochMetrics& metrics) {
  record_.epochs.push_back(metrics);
  writer_.write("epoch", record_.name, to_json(metrics, kEpochFields));
}

void RunRecorder::finish(const std::string& status) {
  record_.status = status;
  writer_.write("end", record_.name, {{"status", status}});
}

std::vector<RunRecord> load_runs(const std::filesystem::path& metrics_file) {
  const std::string source = metrics_file.string();
  std::vector<RunRecord> runs;
  for (const Json& event : read_metrics(metrics_file)) {
    const std::string name = text_field(event, "run", source);
    auto run = std::find_if(runs.begin(), runs.end(),
                            [&](const RunRecord& record) { return record.name == name; });
    if (run == runs.end()) {
      runs.emplace_back();
      run = runs.end() - 1;
      run->name = name;
    }
    const std::string kind = text_field(event, "event", source);
    if (kind == "run") {
      run->config = event.value("config", Json::object());
      if (const auto found = event.find("parameters"); found != event.end())
        check(decode_number(*found, run->parameters), "[load_runs] not a number:", source,
              "parameters");
    } else if (kind == "epoch") {
      run->epochs.push_back(from_json(event, kEpochFields, source));
    } else if (kind == "step") {
      run->steps.push_back(from_json(event, kStepFields, source));
    } else if (kind == "end") {
      run->status = text_field(event, "status", source);
    }
  }
  return runs;
}

int best_epoch(const RunRecord& run) {
  int best = -1;
  for (size_t i = 0; i < run.epochs.size(); ++i) {
    const double error = run.epochs[i].test_error;
    if (std::isfinite(error) &&
        (best < 0 || error < run.epochs[static_cast<size_t>(best)].test_error))
      best = static_cast<int>(i);
  }
  return best;
}

Table summary_table(const std::vector<RunRecord>& runs) {
  Table table;
  table.columns = {{"run"},
                   {"test accuracy", true},
                   {"best (epoch)", true},
                   {"test error", true},
                   {"train loss", true},
                   {"images seen", true},
                   {"time", true},
                   {"images/s", true}};
  const bool all_completed = std::all_of(
      runs.begin(), runs.end(), [](const RunRecord& run) { return run.status == "completed"; });
  if (!all_completed) table.columns.push_back({"status"});

  std::vector<double> final_errors, best_errors;
  for (const RunRecord& run : runs) {
    const EpochMetrics last = run.epochs.empty() ? EpochMetrics{} : run.epochs.back();
    const int best = best_epoch(run);
    const EpochMetrics top = best < 0 ? EpochMetrics{} : run.epochs[static_cast<size_t>(best)];
    const double speed = last.images / training_seconds(run);
    std::vector<std::string> row = {
        run.name,
        percent_text(1 - last.test_error),
        best < 0 ? "--" : fmt::format("{} ({:.4g})", percent_text(1 - top.test_error), top.epoch),
        percent_text(last.test_error),
        std::isfinite(last.train_loss) ? number_text(last.train_loss) : "--",
        count_text(last.images),
        duration_text(last.seconds),
        count_text(speed)};
    if (!all_completed) row.push_back(run.status);
    table.add_row(std::move(row));
    final_errors.push_back(last.test_error);
    best_errors.push_back(top.test_error);
  }
  mark_smallest(table, 1, final_errors);
  mark_smallest(table, 2, best_errors);
  mark_smallest(table, 3, final_errors);
  return table;
}

}  // namespace ditto::apps
