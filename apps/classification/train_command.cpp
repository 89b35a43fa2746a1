#include "apps/classification/train_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <optional>

#include "apps/classification/analysis.h"
#include "apps/classification/dry_run.h"
#include "apps/classification/embeddings.h"
#include "apps/classification/isotropy.h"
#include "apps/classification/pretrained.h"
#include "apps/classification/profile.h"
#include "apps/classification/sweep_summary.h"
#include "apps/classification/views.h"
#include "apps/classification/weights.h"
#include "apps/common/environment.h"
#include "apps/common/files.h"
#include "apps/common/stop_signals.h"
#include "apps/common/text.h"

namespace ditto::apps {

namespace {

namespace fs = std::filesystem;

// Threads and devices decide the order of sums; rate and clipping are what one tries after a run
// has diverged.
const MayDiffer kMayDiffer = {
    .freely = {"workers", "data-root", "strict-data", "cache", "cache-mb", "save-every",
               "save-every-minutes", "keep-last", "tta", "tta-shift"},
    .noticed = {"threads", "device", "tf32", "deterministic", "cuda-graph", "data-on-device", "lr",
                "clip-norm"}};

// Images that --on-bad-image skip or zero passed over: counted in the report, listed in a file.
void report_bad_images(const DataPair& data, Report& report, RunDirectory& run) {
  std::vector<std::string> bad = data.train.bad_images();
  const std::vector<std::string> test = data.test.bad_images();
  bad.insert(bad.end(), test.begin(), test.end());
  if (bad.empty()) return;
  std::string lines;
  for (const std::string& line : bad) lines += line + "\n";
  write_file(run.file("bad_images.txt"), lines);
  const std::string note = fmt::format(
      "{} images could not be read (bad_images.txt), the first: {}", bad.size(), bad[0]);
  report.notes.push_back(note);
  run.log(note);
  std::cout << "warning: " << note << std::endl;
}

std::string cache_text(const data::CacheStats& cache) {
  return fmt::format("image cache: {} images in {} MB, {} of {} reads were hits", cache.images,
                     cache.bytes >> 20, cache.hits, cache.hits + cache.misses);
}

}  // namespace

TrainCommand::TrainCommand(const std::string& phases) {
  options_.phases = phases;
  if (phases == "pretrain") {  // the recipe of Khosla et al. 2020, for CIFAR
    options_.loss = "supcon";
    options_.rrc = "on";
    options_.rrc_scale_low = 0.2;
    options_.crop_padding = 0;
    options_.jitter = {0.4, 0.4, 0.4, 0.1};
    options_.jitter_probability = 0.8;
    options_.grayscale = 0.2;
  } else if (phases == "linear") {
    options_.weight_decay = 0;
  }
}

void TrainCommand::declare(Config& config) {
  apps::declare(config, options_);
  config.group("Evaluation");
  apps::declare(config, tta_);
  apps::declare(config, directory_);
  config
      .add("dry-run", &dry_run_,
           "one step, one small evaluation, one checkpoint saved and loaded; writes nothing else")
      .flag_only();
}

void TrainCommand::run(const Invocation& invocation) {
  if (dry_run_ && !directory_.resume.empty())
    throw UsageError("--dry-run begins from nothing: leave out --resume");
  const StopSignals signals;
  std::vector<std::string> sayings;  // said once there is a log
  std::optional<ResumePoint> resumed = find_resume_point(
      directory_, options_.keep_last, [&](const std::string& line) { sayings.push_back(line); });
  RunConfig asked{.asked = invocation.config.dump(), .resolved = {}};
  PlanPosition position;
  if (resumed) {
    asked = saved_config(resumed->checkpoint);
    position = saved_position(resumed->checkpoint);
    for (const std::string& line : adopt_config(invocation.config, asked, kMayDiffer))
      sayings.push_back(line);
  }
  const RunPlan plan = plan_runs(options_);
  if (options_.threads > 0) set_num_threads(options_.threads);
  const DeviceChoice device = use(options_.compute);
  if (!device.note.empty()) sayings.push_back(device.note);
  const DataPair data = load_data(options_.data);
  if (dry_run_) return dry_run(plan, data, directory_.run_dir);
  const Json data_description = describe_data(data);
  if (resumed) {
    const std::string note = check_same_data_and_program(resumed->checkpoint, data_description);
    if (!note.empty()) sayings.push_back(note);
  }
  // config.json holds what was decided, so that it repeats this run elsewhere.
  options_.data.dataset = data.train.name();
  options_.threads = num_threads();
  options_.compute.device = to_string(device.device);
  RunDirectory run = resumed ? RunDirectory(saved_files(*resumed), invocation)
                             : RunDirectory(directory_, invocation);
  Progress progress({});
  bool logged = true;
  const auto say = [&](const std::string& line) {
    progress.print(line);
    try {
      if (logged) run.log(line);
    } catch (const Error& error) {  // what there is to say matters more than the log
      logged = false;
      progress.print(fmt::format("WARNING: the log ends here: {}", error.what()));
    }
  };
  say(fmt::format(
      "{}: {} training and {} test images, {} classes; {} threads; {}; run directory {}",
      data.train.name(), count_text(double(data.train.size())),
      count_text(double(data.test.size())), data.train.classes(), num_threads(),
      device_text(device.device), run.path().string()));
  for (const std::string& line : sayings) say(line);

  Report report;
  report.notes = position.notes;
  int64_t left = static_cast<int64_t>(plan.runs.size()) - position.index;
  std::string failure;
  double calibrated_minutes = 0;
  std::vector<RunRecord> former;
  if (resumed) {
    former = load_runs(run.file("metrics.jsonl"));
    check(position.index >= 0 && left > 0 && former.size() > size_t(position.index) &&
              plan.runs[size_t(position.index)].name == position.run,
          "[resume] the checkpoint's run is not in the plan:", printable(position.run));
    report.runs.assign(former.begin(), former.begin() + position.index);
  }
  for (size_t i = size_t(position.index); i < plan.runs.size(); ++i) {
    const bool continued = resumed && plan.runs[i].name == position.run;
    PlannedRun planned = plan.runs[i];
    if (continued) planned.options.init_weights.clear();  // the checkpoint has what became of them
    Trainer trainer(planned.options, planned.options.loss, data.train, data.test);
    const bool noted =
        std::count(report.notes.begin(), report.notes.end(), trainer.model_note()) > 0;
    if (!trainer.model_note().empty() && !noted) {
      say("note: " + trainer.model_note());
      report.notes.push_back(trainer.model_note());
    }
    if (!planned.options.init_weights.empty())
      say(pretrained_text(planned.options.init_weights, trainer.pretrained()));
    const int64_t batch = planned.options.batch;
    if (continued) {
      trainer.restore(resumed->checkpoint);
      say(fmt::format("{}: resumed after step {} of {}", planned.name, trainer.step(),
                      trainer.total_steps()));
    } else if (position.rows > 0) {
      trainer.set_total_steps(std::max<int64_t>(1, (position.rows + batch / 2) / batch));
    } else if (options_.minutes > 0) {
      const int64_t steps = trainer.calibrate(options_.minutes);
      calibrated_minutes = options_.minutes;
      options_.minutes = 0;
      options_.steps = steps;
      write_file(run.file("config.json"), json_text(invocation.config.dump()));
      say(fmt::format("{} minutes for each run: {} steps ({:.2f} epochs); --steps {} repeats it",
                      number_text(calibrated_minutes), steps, steps / trainer.steps_per_epoch(),
                      steps));
    }
    // The same for all runs: they see the same number of images.
    if (position.rows == 0) position.rows = trainer.total_steps() * batch;
    position.run = planned.name;
    position.index = static_cast<int64_t>(i);
    position.notes = report.notes;
    RunSaver saver(run, options_, {asked.asked, invocation.config.dump()}, data_description, say);
    saver.begin(position, continued ? trainer.step() : -1);
    progress.set_plan(
        {.train_images = left * position.rows - trainer.step() * batch,
         .eval_images = (left * trainer.planned_evaluations() - trainer.done_evaluations()) *
                        data.test.size()});
    --left;
    try {
      std::optional<RunRecord> record = train(planned, trainer, invocation, run, progress, saver,
                                              continued ? &former[i] : nullptr, say);
      if (!record) {
        progress.pause();
        throw Interrupted(fmt::format(
            "stopped by {} after step {} of {}; everything is saved in {}; --resume {} goes on",
            StopSignals::name(), trainer.step(), trainer.total_steps(), saver.last_good(),
            run.path().string()));
      }
      report.runs.push_back(std::move(*record));
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      report.runs.push_back(failed_);
      failure = planned.name + ": " + error.what();
      if (const std::string good = saver.last_good(); !good.empty())
        failure += "; the last good checkpoint is " + good;
      say(failure);
      break;  // the report of what was measured is still written
    }
    save_weights(run.file(planned.name + ".safetensors"), trainer.model(), planned.options.model,
                 data.train, options_.phases != "pretrain");
    if (trainer.ema()) {
      const std::string note =
          "Figures, matrices and calibration are those of the weights themselves; the averaged "
          "weights (--ema) have a column of the table and the files NAME-ema.safetensors.";
      if (std::count(report.notes.begin(), report.notes.end(), note) == 0)
        report.notes.push_back(note);
      const nn::EmaScope scope(*trainer.ema());
      save_weights(run.file(planned.name + "-ema.safetensors"), trainer.model(),
                   planned.options.model, data.train);
    }
    position.steps_before += trainer.total_steps();
  }
  progress.pause();
  finish(plan, report, data, invocation, run);
  if (!failure.empty()) fail("[train_cifar] stopped: " + failure);
}

std::optional<RunRecord> TrainCommand::train(const PlannedRun& planned, Trainer& trainer,
                                             const Invocation& invocation, RunDirectory& run,
                                             Progress& progress, RunSaver& saver,
                                             const RunRecord* former,
                                             const std::function<void(const std::string&)>& say) {
  Json config = invocation.config.dump();
  config.update(planned.changes);
  config["steps"] = trainer.total_steps();
  RunRecorder recorder =
      former ? RunRecorder(run.metrics(), *former)
             : RunRecorder(run.metrics(), planned.name, config, double(trainer.parameter_count()));
  if (!former)
    say(fmt::format("{}: {} with {} parameters, {} steps of {} rows", planned.name,
                    planned.options.model, count_text(double(trainer.parameter_count())),
                    trainer.total_steps(), planned.options.batch));
  // The first steps compile convolutions and fill caches.
  constexpr int64_t kUnprofiled = 3;
  const int64_t first_step = trainer.step();
  std::optional<Profiler> profiler;
  if (options_.profile) nn::name_layers(profiler.emplace(), trainer.model());
  const int64_t record_every = std::max<int64_t>(1, trainer.total_steps() / 2000);
  // Of the recorded steps about 200 tell the response of gradients.
  const int64_t respond_every =
      record_every * std::max<int64_t>(1, trainer.total_steps() / (200 * record_every));
  ProgressUpdate state{.run = planned.name};
  TrainCallbacks callbacks;
  callbacks.on_step = [&](const StepReport& s) {
    state.evaluating = false;
    state.step = s.step;
    state.steps = s.steps;
    state.images = s.images;
    state.loss = s.loss;
    state.accuracy.reset();
    if (!std::isnan(s.accuracy)) state.accuracy = s.accuracy;
    state.learning_rate = s.learning_rate;
    progress.update(state);
    if (profiler && s.step == first_step + kUnprofiled) profiler->reset();
    if (s.step % record_every == 0 || s.step == 1 || s.step == s.steps) {
      GradientResponse response{kNotMeasured, kNotMeasured};
      if (s.response && (s.step % respond_every == 0 || s.step == 1)) response = s.response();
      recorder.step({.step = double(s.step),
                     .epoch = s.epoch,
                     .images = double(s.step) * double(planned.options.batch),
                     .loss = s.loss,
                     .learning_rate = s.learning_rate,
                     .gradient_positives = response.positives,
                     .gradient_negatives = response.negatives});
    }
  };
  callbacks.on_eval_batch = [&](int64_t images) {
    state.evaluating = true;
    state.images = images;
    progress.update(state);
  };
  callbacks.on_epoch = [&](const EpochMetrics& m) {
    recorder.epoch(m);
    std::string text =
        fmt::format("{}: epoch {:.2f}  train loss {:.4f}", planned.name, m.epoch, m.train_loss);
    // Trainings of features alone have no classifier to measure.
    const auto add = [&](const char* what, double error) {
      if (!std::isnan(error)) text += fmt::format("  {} {}", what, percent_text(1 - error));
    };
    add("train accuracy", m.train_error);
    if (!std::isnan(m.test_loss)) text += fmt::format("  test loss {:.4f}", m.test_loss);
    add("test accuracy", m.test_error);
    add("k-NN accuracy", m.knn_error);
    add("averaged weights", m.ema_test_error);
    say(fmt::format("{}  {:.0f} images/s  {}", text, m.images_per_second,
                    duration_text(m.seconds)));
  };
  callbacks.between_steps = [&](int64_t step) { return saver.between_steps(trainer, step); };
  callbacks.stop = [] { return StopSignals::requested(); };
  callbacks.note = say;
  try {
    if (!trainer.run(callbacks)) {
      saver.between_steps(trainer, trainer.step());  // also when an evaluation was cut short
      return {};
    }
  } catch (const Error& error) {
    recorder.finish(std::string("stopped: ") + error.what());
    failed_ = recorder.record();
    throw;
  }
  if (const int64_t steps = trainer.total_steps() - first_step - kUnprofiled;
      profiler && steps > 0) {
    say(profile_text(*profiler, steps));
    write_file(run.file(planned.name + "-profile.csv"), profile_csv(*profiler, steps));
  }
  recorder.finish("completed");
  return recorder.record();
}

void TrainCommand::add_embeddings(const RunPlan& plan, Report& report,
                                  const data::ImageDataset& test, RunDirectory& run) {
  if (std::none_of(plan.runs.begin(), plan.runs.end(), [](const PlannedRun& planned) {
        return loss_kind(planned.options.loss) != LossKind::Logits;
      }))
    return;
  const data::ImageDataset images = test.subset(std::min<int64_t>(2000, test.size()));
  Table table;
  table.columns = {{"run"},
                   {"isotropy score", true},
                   {"mean cosine, one class", true},
                   {"mean cosine, two classes", true}};
  std::vector<NamedHistogram> histograms;
  for (const RunRecord& record : report.runs) {
    const fs::path file = run.file(record.name + ".safetensors");
    if (record.status != "completed" || !fs::exists(file)) continue;
    const TrainedModel trained = load_weights(file);
    const Embeddings embeddings = embed(*trained.model, images);
    histograms.push_back({record.name, similarity_histogram(embeddings)});
    const SimilarityHistogram& histogram = histograms.back().histogram;
    table.add_row({record.name, fmt::format("{:.4f}", isotropy_score(embeddings)),
                   fmt::format("{:.4f}", histogram.positive_mean),
                   fmt::format("{:.4f}", histogram.negative_mean)});
  }
  if (histograms.empty()) return;
  report.tables.push_back(
      {.title = "Embeddings",
       .note = fmt::format("Features before the classifier of {} test images, scaled to length 1. "
                           "Isotropy: 1 where all directions are used alike.",
                           count_text(double(images.size()))),
       .table = table});
  if (histograms.size() > 6) histograms.resize(6);  // a sweep's figure stays readable
  report.figures.push_back(similarity_figure(histograms));
}

void TrainCommand::finish(const RunPlan& plan, Report& report, const DataPair& data,
                          const Invocation& invocation, RunDirectory& run) {
  report.title = invocation.program + ": " + plan_title(plan);
  report.subtitle =
      fmt::format("{} on {}, {} training images, {}", options_.model, data.train.name(),
                  count_text(double(data.train.size())), timestamp());
  for (const std::string& warning : data.train.warnings()) report.notes.push_back(warning);
  report.figures = curve_figures(report.runs);
  const auto responses = gradient_response_figures(report.runs);
  report.figures.insert(report.figures.end(), responses.begin(), responses.end());
  add_embeddings(plan, report, data.test, run);
  if (options_.phases == "pretrain")
    report.notes.push_back(
        "Pretraining: the weights are features, whose classifier is not trained yet (linear).");
  else
    add_analysis(report, plan, run.path(), data.test, tta_,
                 [&](const RunRecord& record) { write_evaluation(run.metrics(), record); });
  report_bad_images(data, report, run);
  if (options_.data.cache != "none") report.notes.push_back(cache_text(data.train.cache()));
  report.environment = run.environment();
  const int64_t shown = std::min<int64_t>(6, data.train.size());
  ReplicaSheet sheet{.title = "Replicas",
                     .caption = "Training images and how the augmentation of this run shows them",
                     .sources = plain_pictures(data.train, shown),
                     .replicas = augmented_views(options_, data.train, shown, 8).pictures,
                     .replicas_per_source = 8,
                     .labels = {}};
  for (int64_t i = 0; i < shown; ++i)
    sheet.labels.push_back(data.train.class_names()[static_cast<size_t>(data.train.label(i))]);
  report.sheets.push_back(std::move(sheet));
  std::cout << "\n" << render_text(summary_table(report.runs)) << "\n";
  if (is_sweep(plan)) {
    const Table table = sweep_table(plan, report.runs);
    report.tables.push_back({.title = plan.swept.empty() ? "Seeds" : "Sweep", .table = table});
    auto figures = sweep_figures(plan, report.runs);
    report.figures.insert(report.figures.begin(), figures.begin(), figures.end());
    write_file(run.file("sweep.csv"), sweep_csv(plan, report.runs));
    std::cout << render_text(table) << "\n";
  }
  write_report(run.path(), report);
  std::cout << "report: " << run.file("report.html").string() << std::endl;
}

}  // namespace ditto::apps
