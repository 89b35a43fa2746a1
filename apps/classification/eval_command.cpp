#include "apps/classification/eval_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "apps/classification/analysis.h"
#include "apps/classification/embeddings.h"
#include "apps/classification/trainer.h"
#include "apps/classification/weights.h"
#include "apps/common/environment.h"
#include "apps/common/text.h"

namespace ditto::apps {
namespace {

void add_metrics(Table& table, const std::string& name, const Evaluation& e) {
  if (table.columns.empty())
    table.columns = {{"views"}, {"accuracy", true}, {"top-5", true}, {"NLL", true}, {"ECE", true}};
  table.add_row({name, percent_text(e.top1), percent_text(e.top5), fmt::format("{:.4f}", e.nll),
                 percent_text(e.ece)});
}

}  // namespace

void EvalCommand::declare(Config& config) {
  apps::declare(config, options_);
  config.group("Evaluation");
  config.add("weights", &weights_, "safetensors file written by train");
  apps::declare(config, tta_);
  config.add("report", &report_, "folder for report.html with confusion matrix and calibration")
      .flag_only();
  config
      .add("knn", &knn_,
           "also classify by this many most similar training images, by the features alone; 0: no")
      .at_least(0);
  config.add("knn-images", &knn_images_, "training images among which they are; 0: all")
      .at_least(0);
  apps::declare(config, compute_);
  config.add("threads", &threads_, "of the computation; 0: all cores").range(0, 4096);
}

void EvalCommand::run(const Invocation& invocation) {
  if (weights_.empty()) throw UsageError("eval needs --weights FILE");
  if (threads_ > 0) set_num_threads(threads_);
  const DeviceChoice device = use(compute_);
  if (!device.note.empty()) fmt::print(stderr, "{}\n", device.note);
  const TrainedModel trained = load_weights(weights_);
  trained.model->to(device.device);
  if (options_.dataset == "auto") options_.dataset = trained.info.dataset;
  // The images are seen as in the training.
  if (options_.dataset == "folder" && options_.image_size == 0)
    options_.image_size = trained.info.shape.image_size;
  if (options_.mean.empty()) {
    options_.mean.assign(trained.info.statistics.mean.begin(), trained.info.statistics.mean.end());
    options_.std.assign(trained.info.statistics.std.begin(), trained.info.statistics.std.end());
  }
  DataPair data = load_data(options_);
  if (options_.image_size == 0 && data.test.height() != trained.info.shape.image_size) {
    options_.image_size = trained.info.shape.image_size;
    data = load_data(options_);
  }
  check(data.test.classes() == trained.info.shape.num_classes, "[eval]", data.test.name(), "has",
        data.test.classes(), "classes, but the weights are for", trained.info.shape.num_classes);
  const std::vector<std::string>&known = trained.info.class_names, &found = data.test.class_names();
  for (size_t i = 0; i < known.size(); ++i)
    check(known[i] == found[i], "[eval] class", i, "of", data.test.name(), "is", found[i],
          "but the weights are for", known[i]);
  if (knn_ > 0) {
    const data::ImageDataset bank = knn_images_ > 0 && knn_images_ < data.train.size()
                                        ? data.train.subset(knn_images_)
                                        : data.train;
    const double accuracy = knn_accuracy(embed(*trained.model, bank),
                                         embed(*trained.model, data.test), {.neighbours = knn_});
    fmt::print("{}: {} test images, k-NN accuracy {} ({} neighbours among {} training images)\n",
               data.test.name(), count_text(double(data.test.size())), percent_text(accuracy),
               std::min(knn_, bank.size()), count_text(double(bank.size())));
  }
  if (!trained.info.head_trained) {
    if (knn_ > 0) return;
    throw UsageError(weights_ +
                     " holds pretrained features without a trained classifier: train "
                     "one by `linear --init-weights`, or ask for --knn 200");
  }
  const Evaluation plain = evaluate_predictions(predict(*trained.model, data.test));
  fmt::print("{}: {} test images, accuracy {}, cross-entropy {:.4f}\n\n", data.test.name(),
             count_text(double(plain.images)), percent_text(plain.top1), plain.nll);

  Table metrics;
  add_metrics(metrics, "image alone", plain);
  Evaluation best = plain;  // what the classes and figures show: with TTA where it was asked for
  if (tta_.enabled()) {
    best = evaluate_predictions(predict(*trained.model, data.test, tta_));
    add_metrics(metrics, "TTA, " + tta_.text(), best);
  }
  const Table classes = class_table(best, data.test.class_names());
  fmt::print("{}\n{}", render_text(metrics), render_text(classes));
  if (report_.empty()) return;

  Report report;
  const std::string file = std::filesystem::path(weights_).filename().string();
  report.title = fmt::format("{} eval: {}", invocation.program, file);
  report.subtitle = fmt::format("{} on {}, {} test images, {}", trained.info.model,
                                data.test.name(), count_text(double(plain.images)), timestamp());
  report.tables.push_back({.title = "Results", .table = metrics});
  report.tables.push_back({.title = "Accuracy of each class",
                           .note = tta_.enabled() ? "With TTA." : "",
                           .table = classes,
                           .after_figures = true});
  add_evaluation_figures(report, {{std::filesystem::path(weights_).stem().string(), best}},
                         data.test.class_names());
  report.environment = describe_environment(invocation.arguments);
  std::error_code error;
  std::filesystem::create_directories(report_, error);
  check(!error, "[eval] cannot make the folder", report_ + ":", error.message());
  write_report(report_, report);
  fmt::print("\nreport: {}\n", (std::filesystem::path(report_) / "report.html").string());
}

}  // namespace ditto::apps
