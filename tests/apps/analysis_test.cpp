#include "apps/classification/analysis.h"

#include <cmath>

#include "apps/classification/weights.h"
#include "nn/init.h"
#include "tests/apps/markup.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace ditto::apps {
namespace {

data::ImageDataset noise() {
  Rng rng(5);
  std::vector<uint8_t> pixels(30 * 64);
  std::vector<int64_t> labels(30);
  for (uint8_t& v : pixels) v = static_cast<uint8_t>(rng.below(256));
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int64_t>(i % 3);
  return data::ImageDataset("noise", Tensor::from(pixels, {30, 8, 8, 1}),
                            Tensor::from(labels, {30}), {"cat", "dog", "cow"}, {{0.5f}, {0.25f}});
}

// The weights of every run of the plan but the last, each with its own initial values.
Report trained(const RunPlan& plan, const std::filesystem::path& folder,
               const data::ImageDataset& dataset) {
  Report report;
  for (size_t i = 0; i < plan.runs.size(); ++i) {
    RunRecord run;
    run.name = plan.runs[i].name;
    run.status = "completed";
    report.runs.push_back(run);
    if (i + 1 == plan.runs.size()) continue;
    auto model = models::make_model("mlp", {.image_size = 8, .in_channels = 1, .num_classes = 3});
    nn::init(*model, i + 1);
    save_weights(folder / (run.name + ".safetensors"), *model, "mlp", dataset);
  }
  return report;
}

std::vector<std::string> names(const Report& report) {
  std::vector<std::string> out;
  for (const Figure& figure : report.figures) out.push_back(figure.name);
  return out;
}

}  // namespace

TEST_CASE("analysis: evaluates the weights on disk and shows one run of each loss", "[apps]") {
  const testing::TempDir folder;
  const auto dataset = noise();
  TrainOptions o;
  o.compare = {"cce", "t-cce"};
  o.sweep = "rho=0.1,1,3";
  o.crop_padding = 2;
  const RunPlan plan = plan_runs(o);  // cce, t-cce 0.1, 1, 3; the last has no weights
  Report report = trained(plan, folder.path(), dataset);
  report.runs[1].status = "stopped: the loss is nan";
  std::vector<std::string> evaluated;
  add_analysis(report, plan, folder.path(), dataset, {.views = {"mirror"}},
               [&](const RunRecord& run) { evaluated.push_back(run.name); });
  CHECK(evaluated == std::vector<std::string>{"cce", "t-cce-rho1"});
  CHECK(names(report) == std::vector<std::string>{"views", "calibration_cce",
                                                  "calibration_t-cce-rho1", "confusion_cce",
                                                  "confusion_t-cce-rho1", "class_accuracy"});
  CHECK(testing::markup_problem(render_html(report)) == "");
  REQUIRE(report.notes.size() == 1);
  CHECK_THAT(report.notes[0], testing::contains("mirror: 2 views"));
  CHECK(std::isnan(report.runs[1].evaluation.ece));
  CHECK(std::isnan(report.runs[3].evaluation.ece));

  const TrainedModel model = load_weights(folder.path() / "t-cce-rho1.safetensors");
  const Evaluation e = evaluate_predictions(predict(*model.model, dataset));
  CHECK(report.runs[2].evaluation.ece == e.ece);
  CHECK(report.runs[2].evaluation.top5_accuracy == e.top5);
  CHECK(report.runs[2].evaluation.tta_accuracy ==
        evaluate_predictions(predict(*model.model, dataset, {.views = {"mirror"}})).top1);
  CHECK(report.runs[2].evaluation.view_divergence > 0);

  Report plain;
  add_analysis(plain, plan, folder.path(), dataset, {});
  CHECK(plain.figures.empty());
}

TEST_CASE("analysis: the table of classes", "[apps]") {
  Predictions p{.classes = 3, .probabilities = {}, .labels = {0, 0, 0, 1}};
  for (const int k : {0, 1, 1, 1})
    for (int c = 0; c < 3; ++c) p.probabilities.push_back(c == k ? 0.8 : 0.1);
  const Table table = class_table(evaluate_predictions(p), {"cat", "dog", "cow"});
  CHECK(table.rows[0] == std::vector<std::string>{"cat", "3", "33.33 %", "100.00 %", "dog (2)"});
  CHECK(table.rows[1] == std::vector<std::string>{"dog", "1", "100.00 %", "33.33 %", ""});
  CHECK(table.rows[2] == std::vector<std::string>{"cow", "0", "--", "--", ""});
}

}  // namespace ditto::apps
