#include "apps/classification/analysis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "apps/classification/weights.h"
#include "apps/common/text.h"

namespace ditto::apps {
namespace {

constexpr size_t kMostShown = 4;
constexpr int64_t kViewImages = 100, kViews = 8;  // paper 000, figure 3, has eight views

}  // namespace

Table class_table(const Evaluation& e, const std::vector<std::string>& classes) {
  Table table;
  table.columns = {{"class"},
                   {"images", true},
                   {"accuracy", true},
                   {"precision", true},
                   {"most often taken for"}};
  const auto errors = worst_confusions(e, static_cast<size_t>(e.classes * e.classes));
  for (int64_t k = 0; k < e.classes; ++k) {
    const auto worst = std::find_if(errors.begin(), errors.end(),
                                    [&](const auto& pair) { return pair.first == k; });
    table.add_row({classes.at(static_cast<size_t>(k)), count_text(double(e.class_images(k))),
                   percent_text(e.class_accuracy(k)), percent_text(e.class_precision(k)),
                   worst == errors.end()
                       ? ""
                       : fmt::format("{} ({})", classes.at(static_cast<size_t>(worst->second)),
                                     e.count(k, worst->second))});
  }
  return table;
}

void add_evaluation_figures(Report& report, const std::vector<NamedEvaluation>& runs,
                            const std::vector<std::string>& classes) {
  if (runs.empty()) return;
  for (const NamedEvaluation& run : runs) report.figures.push_back(calibration_figure(run));
  for (const NamedEvaluation& run : runs) report.figures.push_back(confusion_figure(run, classes));
  report.figures.push_back(class_accuracy_figure(runs, classes));
}

void add_analysis(Report& report, const RunPlan& plan, const std::filesystem::path& folder,
                  const data::ImageDataset& test, const TtaOptions& tta,
                  const std::function<void(const RunRecord&)>& evaluated) {
  std::vector<NamedEvaluation> evaluations;
  std::vector<NamedViews> views;
  std::vector<const PlannedRun*> plans;
  ViewSet set;
  for (const PlannedRun& planned : plan.runs) {
    const auto run = std::find_if(report.runs.begin(), report.runs.end(), [&](const RunRecord& r) {
      return r.name == planned.name && r.status == "completed";
    });
    const std::filesystem::path file = folder / (planned.name + ".safetensors");
    if (run == report.runs.end() || !std::filesystem::exists(file)) continue;
    const TrainedModel trained = load_weights(file);
    const Evaluation evaluation = evaluate_predictions(predict(*trained.model, test));
    run->evaluation.top5_accuracy = evaluation.top5;
    run->evaluation.ece = evaluation.ece;
    if (tta.enabled())
      run->evaluation.tta_accuracy = evaluate_predictions(predict(*trained.model, test, tta)).top1;
    // The views are those of the first run's augmentation, the same for all.
    if (set.images == 0)
      set = augmented_views(planned.options, test, std::min(kViewImages, test.size()), kViews);
    views.push_back({planned.name, predict_views(*trained.model, set)});
    run->evaluation.view_divergence = views.back().predictions.mean_divergence();
    if (evaluated) evaluated(*run);
    evaluations.push_back({planned.name, evaluation});
    plans.push_back(&planned);
  }
  if (plans.empty()) return;
  if (tta.enabled()) report.notes.push_back("TTA: the mean over views, " + tta.text() + ".");
  std::vector<NamedEvaluation> shown;
  std::vector<NamedViews> shown_views;
  for (const std::string& loss : plan.losses()) {
    size_t last = plans.size();
    for (size_t i = 0; i < plans.size(); ++i)
      if (plans[i]->options.loss == loss && plans[i]->options.seed == plans[0]->options.seed)
        last = i;
    if (last == plans.size() || shown.size() == kMostShown) continue;
    shown.push_back(evaluations[last]);
    shown_views.push_back(views[last]);
  }
  // Two matrices fit beside each other.
  if (shown_views.size() > 2) shown_views.resize(2);
  report.figures.push_back(
      views_figure(shown_views, set, test.labels().to_vector<int64_t>(), test.class_names()));
  add_evaluation_figures(report, shown, test.class_names());
}

}  // namespace ditto::apps
