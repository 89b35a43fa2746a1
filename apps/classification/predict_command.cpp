#include "apps/classification/predict_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "apps/common/csv.h"
#include "apps/common/files.h"
#include "apps/common/json.h"
#include "apps/common/table.h"
#include "apps/common/text.h"
#include "autograd/ops.h"
#include "data/augment.h"
#include "data/image.h"
#include "data/image_folder.h"

namespace ditto::apps {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kRows = 64;  // of a batch: views of images

Table as_table(const std::vector<FilePrediction>& predictions) {
  Table table;
  table.columns = {{"file"}, {"prediction"}, {"probability", true}, {"then"}};
  for (const FilePrediction& p : predictions) {
    if (p.guesses.empty()) {
      table.add_row({printable(p.file), "--", "", shorten(printable(p.error), 100)});
      continue;
    }
    std::vector<std::string> rest;
    for (size_t i = 1; i < p.guesses.size(); ++i)
      rest.push_back(
          fmt::format("{} {}", p.guesses[i].name, percent_text(p.guesses[i].probability)));
    table.add_row({printable(p.file), p.guesses[0].name, percent_text(p.guesses[0].probability),
                   join(rest, ", ")});
  }
  return table;
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() > end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

std::vector<FilePrediction> predict_files(const TrainedModel& trained,
                                          const std::vector<fs::path>& files, int64_t top,
                                          const TtaOptions& tta) {
  const WeightsInfo& info = trained.info;
  check(!info.statistics.mean.empty() && !info.statistics.std.empty(),
        "[predict] the weights' metadata has no mean and std; weights that train writes have them");
  check(info.shape.in_channels == 1 || info.shape.in_channels == 3,
        "[predict] images have 1 or 3 channels, the model takes", info.shape.in_channels);
  check(top >= 1, "[predict] top must be at least 1, got", top);
  NoGrad guard;
  trained.model->eval();
  const int64_t channels = info.shape.in_channels, side = info.shape.image_size;
  // Images of another size than the model's are brought to it as in evaluation.
  const auto views = tta_views(tta, data::make_augment({}, info.statistics));
  data::AugmentOptions resize;
  resize.width = resize.height = static_cast<int>(side);
  const auto resized_views = tta_views(tta, data::make_augment(resize, info.statistics));
  const int64_t n_views = std::ssize(views);
  kernels::ChannelValues fill{};
  std::ranges::copy(info.fill.empty() ? info.statistics.mean : info.fill, fill.begin());

  std::vector<FilePrediction> out;
  std::vector<size_t> batch;  // readable files that wait for the network, in `out`
  const int64_t most = std::max<int64_t>(1, kRows / n_views);
  Tensor inputs = Tensor::empty(Shape{most * n_views, side, side, channels});
  const Shape strides = inputs.strides(), one{side, side, channels};
  const Shape one_strides{strides[1], strides[2], strides[3]};
  const auto classify = [&] {
    if (batch.empty()) return;
    const int64_t rows = std::ssize(batch) * n_views;
    const Tensor logits = (*trained.model)(slice(inputs, 0, 0, rows).to(trained.model->device()));
    const std::vector<double> p = softmax_rows(logits);
    Predictions mean{.classes = logits.dim(1), .probabilities = {}, .labels = {}};
    const auto k = static_cast<size_t>(mean.classes);
    mean.probabilities.resize(batch.size() * k);
    for (size_t i = 0; i < p.size(); ++i)
      mean.probabilities[i / k / views.size() * k + i % k] += p[i] / double(n_views);
    for (size_t i = 0; i < batch.size(); ++i)
      for (const int64_t c : mean.top(static_cast<int64_t>(i), top))
        out[batch[i]].guesses.push_back(
            {c, info.class_name(c), mean.probabilities[i * k + static_cast<size_t>(c)]});
    batch.clear();
  };
  for (const fs::path& file : files) {
    out.push_back({.file = file.string(), .guesses = {}, .error = ""});
    try {
      const Tensor image = data::read_image(file, static_cast<int>(channels));
      const data::ImageInfo size{static_cast<int>(image.dim(1)), static_cast<int>(image.dim(0)),
                                 static_cast<int>(channels), fill};
      Rng unused(0);  // the views are not random
      for (int64_t v = 0; v < n_views; ++v) {
        const bool fits = size.width == side && size.height == side;
        const data::Transform view =
            (fits ? views : resized_views)[static_cast<size_t>(v)]->draw(unused, size);
        const int64_t row = std::ssize(batch) * n_views + v;
        view.apply(image, inputs.alias(one, one_strides, row * strides[0]));
      }
      batch.push_back(out.size() - 1);
    } catch (const Error& error) {
      out.back().error = error.what();
    }
    if (std::ssize(batch) == most) classify();
  }
  classify();
  return out;
}

std::string predictions_csv(const std::vector<FilePrediction>& predictions, int64_t top) {
  std::vector<std::string> header = {"file"};
  for (int64_t i = 1; i <= top; ++i) {
    header.push_back(fmt::format("class_{}", i));
    header.push_back(fmt::format("probability_{}", i));
  }
  header.push_back("error");
  std::string out = csv_line(header);
  for (const FilePrediction& p : predictions) {
    std::vector<std::string> fields = {p.file};
    for (const FilePrediction::Guess& guess : p.guesses) {
      fields.push_back(guess.name);
      fields.push_back(csv_number(guess.probability));
    }
    fields.resize(header.size() - 1);
    fields.push_back(p.error);
    out += csv_line(fields);
  }
  return out;
}

std::string predictions_json(const std::vector<FilePrediction>& predictions) {
  Json all = Json::array();
  for (const FilePrediction& p : predictions) {
    Json entry = {{"file", p.file}};
    if (p.guesses.empty()) entry["error"] = p.error;
    for (const FilePrediction::Guess& guess : p.guesses)
      entry["predictions"].push_back(
          {{"class", guess.name}, {"index", guess.index}, {"probability", guess.probability}});
    all.push_back(std::move(entry));
  }
  return json_text(all);
}

void PredictCommand::declare(Config& config) {
  config.group("Prediction");
  config.add("weights", &weights_, "safetensors file written by train");
  config.add("input", &input_, "JPEG or PNG file, or a folder of them and its sub-folders");
  config.add("top", &top_, "classes shown for each image, most probable first").range(1, 1000);
  config.add("output", &output_, "also write the predictions to this .csv or .json file")
      .flag_only();
  apps::declare(config, tta_);
  apps::declare(config, compute_);
  config.add("threads", &threads_, "of the computation; 0: all cores").range(0, 4096);
}

void PredictCommand::run(const Invocation&) {
  if (weights_.empty()) throw UsageError("predict needs --weights FILE");
  if (input_.empty()) throw UsageError("predict needs --input FOLDER or FILE");
  const bool json = ends_with(output_, ".json");
  if (!output_.empty() && !json && !ends_with(output_, ".csv"))
    throw UsageError(fmt::format("--output {} is neither .csv nor .json", output_));
  if (threads_ > 0) set_num_threads(threads_);
  const DeviceChoice device = use(compute_);
  if (!device.note.empty()) fmt::print(stderr, "{}\n", device.note);
  const TrainedModel trained = load_weights(weights_);
  if (!trained.info.head_trained)
    throw UsageError(weights_ +
                     " holds pretrained features without a trained classifier: train one by "
                     "`linear --init-weights`");
  trained.model->to(device.device);

  std::vector<std::string> warnings;
  std::vector<fs::path> files = {input_};
  std::error_code ignored;
  if (fs::is_directory(input_, ignored)) files = data::list_images(input_, &warnings);
  for (const std::string& warning : warnings) std::cerr << "warning: " << warning << '\n';
  check(!files.empty(), "[predict] there are no .jpg, .jpeg or .png files in", printable(input_));

  const int64_t top = std::min(top_, trained.info.shape.num_classes);
  const std::vector<FilePrediction> predictions = predict_files(trained, files, top, tta_);
  std::cout << render_text(as_table(predictions));
  if (!output_.empty())
    write_file(output_, json ? predictions_json(predictions) : predictions_csv(predictions, top));
  int64_t bad = 0;
  for (const FilePrediction& p : predictions) bad += p.guesses.empty();
  fmt::print("\n{} images classified with {} trained on {}{}\n",
             count_text(double(std::ssize(predictions) - bad)), trained.info.model,
             trained.info.dataset, tta_.enabled() ? ", TTA " + tta_.text() : "");
  check(bad == 0, "[predict]", bad, "of", predictions.size(), "images could not be read");
}

}  // namespace ditto::apps
