#include "apps/classification/evaluation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <numeric>

#include "apps/classification/trainer.h"
#include "apps/common/run_record.h"
#include "apps/common/text.h"
#include "autograd/grad_mode.h"
#include "data/augment.h"
#include "data/loader.h"

namespace ditto::apps {
namespace {

// A view that is the same for every image.
class FixedView : public data::Augment {
 public:
  FixedView(bool mirror, int dx, int dy) : mirror_(mirror), dx_(dx), dy_(dy) {}
  data::Transform draw(Rng&, const data::ImageInfo& info) const override {
    const Affine mirror{-1, 0, static_cast<double>(info.width), 0, 1, 0};
    const Affine shift = Affine::translation(dx_, dy_);
    return data::Transform::geometric(info, mirror_ ? shift.then(mirror) : shift, info.width,
                                      info.height);
  }

 private:
  bool mirror_;
  int dx_, dy_;
};

bool has_view(const TtaOptions& options, const char* name) {
  return std::find(options.views.begin(), options.views.end(), name) != options.views.end();
}

}  // namespace

std::string TtaOptions::text() const {
  std::vector<std::string> parts;
  if (has_view(*this, "mirror")) parts.push_back("mirror");
  if (has_view(*this, "shift"))
    parts.push_back(fmt::format("shift by {} pixel{}", shift, shift == 1 ? "" : "s"));
  const int64_t views = (has_view(*this, "shift") ? 5 : 1) * (has_view(*this, "mirror") ? 2 : 1);
  return fmt::format("{}: {} view{}", parts.empty() ? "none" : join(parts, ", "), views,
                     views == 1 ? "" : "s");
}

void declare(Config& config, TtaOptions& options) {
  config
      .add("tta", &options.views,
           "test-time augmentation, the mean over views of each image: mirror, shift or both")
      .choices({"mirror", "shift"});
  config.add("tta-shift", &options.shift, "pixels that --tta shift moves images by").range(1, 1024);
}

std::vector<std::shared_ptr<const data::Augment>> tta_views(
    const TtaOptions& options, std::shared_ptr<const data::Augment> evaluation) {
  std::vector<std::pair<int, int>> shifts = {{0, 0}};
  if (has_view(options, "shift")) {
    const int s = options.shift;
    shifts.insert(shifts.end(), {{-s, 0}, {s, 0}, {0, -s}, {0, s}});
  }
  std::vector<std::shared_ptr<const data::Augment>> views;
  for (const bool mirror : {false, true}) {
    if (mirror && !has_view(options, "mirror")) continue;
    for (const auto& [dx, dy] : shifts)
      views.push_back(
          std::make_shared<data::Compose>(std::vector<std::shared_ptr<const data::Augment>>{
              evaluation, std::make_shared<FixedView>(mirror, dx, dy)}));
  }
  return views;
}

std::vector<double> softmax_rows(const Tensor& logits) {
  const auto values = logits.to_vector<float>();
  const auto k = static_cast<size_t>(logits.dim(1));
  std::vector<double> out(values.size());
  for (size_t begin = 0; begin < values.size(); begin += k) {
    double high = -INFINITY, sum = 0;
    for (size_t i = begin; i < begin + k; ++i) {
      check(std::isfinite(values[i]), "[predict] the model's output is", values[i], "in row",
            begin / k);
      high = std::max<double>(high, values[i]);
    }
    for (size_t i = begin; i < begin + k; ++i) sum += out[i] = std::exp(values[i] - high);
    for (size_t i = begin; i < begin + k; ++i) out[i] /= sum;
  }
  return out;
}

std::vector<int64_t> Predictions::top(int64_t image, int64_t count) const {
  const auto p = row(image);
  std::vector<int64_t> order(p.size());
  std::iota(order.begin(), order.end(), 0);
  const auto kept = order.begin() + std::clamp<int64_t>(count, 0, classes);
  std::partial_sort(order.begin(), kept, order.end(), [&](int64_t a, int64_t b) {
    const double pa = p[static_cast<size_t>(a)], pb = p[static_cast<size_t>(b)];
    return pa > pb || (pa == pb && a < b);
  });
  order.erase(kept, order.end());
  return order;
}

Predictions predict(nn::Layer& model, const data::ImageDataset& dataset, const TtaOptions& tta,
                    int64_t batch, const std::function<void(int64_t)>& on_batch) {
  check(dataset.size() > 0, "[predict] there are no images in", dataset.name());
  NoGrad guard;
  const bool was_training = model.training();
  model.eval();
  Predictions out;
  const auto all = static_cast<size_t>(dataset.size());
  std::vector<bool> seen(all, false);  // the same for all views
  const auto views = tta_views(tta, data::eval_augment(dataset));
  for (const auto& view : views) {
    data::DataLoader loader(dataset, std::make_shared<data::SequentialSampler>(dataset.size()),
                            view, {.batch = std::min(batch, eval_rows(dataset)), .workers = 0});
    while (const auto b = loader.next()) {
      const Tensor logits = model(b->images.to(model.device()));
      const std::vector<double> p = softmax_rows(logits);
      out.classes = logits.dim(1);
      const auto k = static_cast<size_t>(out.classes);
      out.probabilities.resize(all * k);
      for (size_t i = 0; i < b->samples.size(); ++i) {
        const auto sample = static_cast<size_t>(b->samples[i]);
        for (size_t c = 0; c < k; ++c)
          out.probabilities[sample * k + c] += p[i * k + c] / static_cast<double>(views.size());
        seen[sample] = true;
      }
      if (on_batch) on_batch(b->size());
    }
  }
  // Close the gaps of images that were left out.
  const auto k = static_cast<size_t>(out.classes);
  for (size_t sample = 0; sample < all; ++sample) {
    if (!seen[sample]) continue;
    std::copy_n(out.probabilities.begin() + static_cast<std::ptrdiff_t>(sample * k), k,
                out.probabilities.begin() + static_cast<std::ptrdiff_t>(out.samples.size() * k));
    out.samples.push_back(static_cast<int64_t>(sample));
    out.labels.push_back(dataset.label(out.samples.back()));
  }
  out.probabilities.resize(out.samples.size() * k);
  model.train(was_training);
  return out;
}

int64_t Evaluation::class_images(int64_t label) const {
  int64_t sum = 0;
  for (int64_t k = 0; k < classes; ++k) sum += count(label, k);
  return sum;
}

double Evaluation::class_accuracy(int64_t label) const {
  const int64_t all = class_images(label);
  return all > 0 ? double(count(label, label)) / double(all) : kNotMeasured;
}

double Evaluation::class_precision(int64_t label) const {
  int64_t all = 0;
  for (int64_t k = 0; k < classes; ++k) all += count(k, label);
  return all > 0 ? double(count(label, label)) / double(all) : kNotMeasured;
}

Evaluation evaluate_predictions(const Predictions& predictions, int bins) {
  check(predictions.size() > 0, "[evaluate_predictions] there are no predictions");
  check(bins >= 1, "[evaluate_predictions] needs at least one bin, got", bins);
  Evaluation e;
  e.images = predictions.size();
  e.classes = predictions.classes;
  e.confusion.resize(static_cast<size_t>(e.classes * e.classes));
  for (int b = 0; b < bins; ++b)
    e.bins.push_back({.low = double(b) / bins, .high = double(b + 1) / bins});
  for (int64_t i = 0; i < e.images; ++i) {
    const auto p = predictions.row(i);
    const int64_t label = predictions.labels[static_cast<size_t>(i)];
    check(label >= 0 && label < e.classes, "[evaluate_predictions] label", label, "of image", i,
          "is outside", e.classes, "classes");
    const std::vector<int64_t> top = predictions.top(i, 5);
    e.top1 += top[0] == label;
    e.top5 += std::find(top.begin(), top.end(), label) != top.end();
    e.nll -= std::log(std::max(p[static_cast<size_t>(label)], DBL_MIN));
    ++e.confusion[static_cast<size_t>(label * e.classes + top[0])];
    // A bin has its upper limit: 1 belongs to the last one. The slack is for sums of softmax
    // outputs that are a rounding above a limit.
    const double confidence = std::min(1.0, p[static_cast<size_t>(top[0])]);
    const int b =
        std::clamp(static_cast<int>(std::ceil(confidence * bins - 1e-9)) - 1, 0, bins - 1);
    CalibrationBin& bin = e.bins[static_cast<size_t>(b)];
    ++bin.images;
    bin.confidence += confidence;
    bin.accuracy += top[0] == label;
  }
  const auto n = static_cast<double>(e.images);
  e.top1 /= n;
  e.top5 /= n;
  e.nll /= n;
  for (CalibrationBin& bin : e.bins) {
    if (bin.images == 0) continue;
    bin.confidence /= double(bin.images);
    bin.accuracy /= double(bin.images);
    e.ece += double(bin.images) / n * std::abs(bin.accuracy - bin.confidence);
  }
  return e;
}

std::vector<std::pair<int64_t, int64_t>> worst_confusions(const Evaluation& evaluation,
                                                          size_t most) {
  std::vector<std::pair<int64_t, int64_t>> pairs;
  for (int64_t label = 0; label < evaluation.classes; ++label)
    for (int64_t k = 0; k < evaluation.classes; ++k)
      if (k != label && evaluation.count(label, k) > 0) pairs.emplace_back(label, k);
  std::stable_sort(pairs.begin(), pairs.end(), [&](const auto& a, const auto& b) {
    return evaluation.count(a.first, a.second) > evaluation.count(b.first, b.second);
  });
  if (pairs.size() > most) pairs.resize(most);
  return pairs;
}

}  // namespace ditto::apps
