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
    {"ema_test_loss", &EpochMetrics::ema_test_loss},
    {"ema_test_error", &EpochMetrics::ema_test_error},
    {"knn_error", &EpochMetrics::knn_error},
};
constexpr Name<StepMetrics> kStepFields[] = {
    {"step", &StepMetrics::step},
    {"epoch", &StepMetrics::epoch},
    {"images", &StepMetrics::images},
    {"loss", &StepMetrics::loss},
    {"learning_rate", &StepMetrics::learning_rate},
    {"gradient_positives", &StepMetrics::gradient_positives},
    {"gradient_negatives", &StepMetrics::gradient_negatives},
};

constexpr Name<EvaluationMetrics> kEvaluationFields[] = {
    {"top5_accuracy", &EvaluationMetrics::top5_accuracy},
    {"ece", &EvaluationMetrics::ece},
    {"tta_accuracy", &EvaluationMetrics::tta_accuracy},
    {"view_divergence", &EvaluationMetrics::view_divergence},
};

template <class Metrics, size_t n>
Json to_json(const Metrics& metrics, const Name<Metrics> (&fields)[n]) {
  Json json = Json::object();
  for (const auto& [key, field] : fields) {
    // Not every training has these; the others are there, as null, when a number is missing.
    const std::string_view name = key;
    const bool optional =
        name.rfind("ema_", 0) == 0 || name.rfind("knn_", 0) == 0 || name.rfind("gradient_", 0) == 0;
    if (!optional || !std::isnan(metrics.*field)) json[key] = metrics.*field;
  }
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

void write_evaluation(MetricsWriter& writer, const RunRecord& run) {
  writer.write("evaluation", run.name, to_json(run.evaluation, kEvaluationFields));
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
    } else if (kind == "evaluation") {
      run->evaluation = from_json(event, kEvaluationFields, source);
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
  using Row = std::vector<std::string>;
  std::vector<EpochMetrics> last, top;
  std::vector<Row> rows;
  for (const RunRecord& run : runs) {
    const int best = best_epoch(run);
    last.push_back(run.epochs.empty() ? EpochMetrics{} : run.epochs.back());
    top.push_back(best < 0 ? EpochMetrics{} : run.epochs[static_cast<size_t>(best)]);
    rows.push_back({run.name});
  }
  Table table;
  table.columns = {{"run"}};
  // `text` of run r; `badness` marks the run where it is lowest.
  const auto column = [&](const char* heading, auto text, auto badness) {
    std::vector<double> values;
    for (size_t r = 0; r < runs.size(); ++r) {
      rows[r].push_back(text(r));
      values.push_back(badness(r));
    }
    mark_smallest(table, static_cast<int>(table.columns.size()), values);
    table.columns.push_back({heading, true});
  };
  const auto unmarked = [](size_t) { return kNotMeasured; };
  // Only where a run has been evaluated that way.
  const auto optional = [&](const char* heading, double EvaluationMetrics::*field, auto text,
                            double sign) {
    if (std::any_of(runs.begin(), runs.end(),
                    [&](const RunRecord& run) { return std::isfinite(run.evaluation.*field); }))
      column(
          heading, [&](size_t r) { return text(runs[r].evaluation.*field); },
          [&](size_t r) { return sign * runs[r].evaluation.*field; });
  };
  const auto number = [](double value) {
    return std::isfinite(value) ? number_text(value) : std::string("--");
  };
  column(
      "test accuracy", [&](size_t r) { return percent_text(1 - last[r].test_error); },
      [&](size_t r) { return last[r].test_error; });
  column(
      "best (epoch)",
      [&](size_t r) {
        return std::isnan(top[r].epoch)
                   ? std::string("--")
                   : fmt::format("{} ({:.4g})", percent_text(1 - top[r].test_error), top[r].epoch);
      },
      [&](size_t r) { return top[r].test_error; });
  column(
      "test error", [&](size_t r) { return percent_text(last[r].test_error); },
      [&](size_t r) { return last[r].test_error; });
  if (std::any_of(last.begin(), last.end(),
                  [](const EpochMetrics& m) { return std::isfinite(m.ema_test_error); }))
    column(
        "averaged weights", [&](size_t r) { return percent_text(1 - last[r].ema_test_error); },
        [&](size_t r) { return last[r].ema_test_error; });
  if (std::any_of(last.begin(), last.end(),
                  [](const EpochMetrics& m) { return std::isfinite(m.knn_error); }))
    column(
        "k-NN accuracy", [&](size_t r) { return percent_text(1 - last[r].knn_error); },
        [&](size_t r) { return last[r].knn_error; });
  optional("TTA accuracy", &EvaluationMetrics::tta_accuracy, percent_text, -1);
  optional("top-5", &EvaluationMetrics::top5_accuracy, percent_text, -1);
  optional("ECE", &EvaluationMetrics::ece, percent_text, 1);
  optional("KL of views", &EvaluationMetrics::view_divergence, number, 1);
  column(
      "train loss", [&](size_t r) { return number(last[r].train_loss); }, unmarked);
  column(
      "images seen", [&](size_t r) { return count_text(last[r].images); }, unmarked);
  column(
      "time", [&](size_t r) { return duration_text(last[r].seconds); }, unmarked);
  column(
      "images/s", [&](size_t r) { return count_text(last[r].images / training_seconds(runs[r])); },
      unmarked);
  if (std::any_of(runs.begin(), runs.end(),
                  [](const RunRecord& run) { return run.status != "completed"; })) {
    column(
        "status", [&](size_t r) { return runs[r].status; }, unmarked);
    table.columns.back().number = false;
  }
  for (Row& row : rows) table.add_row(std::move(row));
  return table;
}

}  // namespace ditto::apps
