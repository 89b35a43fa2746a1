#include "apps/classification/views.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <numeric>

#include "apps/classification/evaluation.h"
#include "autograd/ops.h"

namespace ditto::apps {
namespace {

// Undoes the normalisation.
void to_picture(const std::vector<float>& values, const data::ChannelStatistics& statistics,
                uint8_t* picture) {
  for (size_t k = 0; k < values.size(); ++k) {
    const size_t channel = k % statistics.mean.size();
    const float value = values[k] * statistics.std[channel] + statistics.mean[channel];
    *picture++ = static_cast<uint8_t>(std::clamp(value * 255.0f + 0.5f, 0.0f, 255.0f));
  }
}

// The image, or black where it cannot be read and that is no error.
Tensor readable_image(const data::ImageDataset& dataset, int64_t index) {
  const Tensor image = dataset.image(index);
  const Shape shape{dataset.height(), dataset.width(), dataset.channels()};
  return image.defined() ? image : Tensor::zeros(shape, Dtype::U8);
}

}  // namespace

ViewSet augmented_views(const TrainOptions& options, const data::ImageDataset& dataset,
                        int64_t count, int64_t views) {
  check(count >= 1 && count <= dataset.size() && views >= 1, "[augmented_views] cannot show", views,
        "views of", count, "images out of", dataset.size());
  const auto augment = make_augment(options, dataset);
  const int64_t h = dataset.height(), w = dataset.width(), c = dataset.channels();
  ViewSet set{.images = count,
              .views = views,
              .inputs = Tensor::empty({count * views, h, w, c}),
              .pictures = Tensor::empty({count * views, h, w, c}, Dtype::U8)};
  const int64_t size = h * w * c;
  for (int64_t i = 0; i < count; ++i) {
    const Tensor image = readable_image(dataset, i);
    for (int64_t v = 0; v < views; ++v) {
      Rng rng(static_cast<uint64_t>(options.seed), Purpose::Augment, static_cast<uint64_t>(i), 0,
              static_cast<uint64_t>(v));
      const auto values = augment->draw(rng, dataset.info(image.dim(0), image.dim(1)))
                              .apply(image)
                              .to_vector<float>();
      const int64_t at = (i * views + v) * size;
      std::copy(values.begin(), values.end(), set.inputs.data<float>() + at);
      to_picture(values, dataset.statistics(), set.pictures.data<uint8_t>() + at);
    }
  }
  return set;
}

Tensor plain_pictures(const data::ImageDataset& dataset, int64_t count) {
  const auto augment = data::eval_augment(dataset);
  const int64_t h = dataset.height(), w = dataset.width(), c = dataset.channels();
  const Tensor pictures = Tensor::empty({count, h, w, c}, Dtype::U8);
  for (int64_t i = 0; i < count; ++i) {
    const Tensor image = readable_image(dataset, i);
    Rng unused(0);
    to_picture(augment->draw(unused, dataset.info(image.dim(0), image.dim(1)))
                   .apply(image)
                   .to_vector<float>(),
               dataset.statistics(), pictures.data<uint8_t>() + i * h * w * c);
  }
  return pictures;
}

ViewPredictions predict_views(nn::Layer& model, const ViewSet& set) {
  NoGrad guard;
  const bool was_training = model.training();
  model.eval();
  ViewPredictions out{.views = set.views, .classes = 0, .probabilities = {}, .divergence = {}};
  constexpr int64_t kBatch = 256;
  const int64_t rows = set.inputs.dim(0);
  for (int64_t begin = 0; begin < rows; begin += kBatch) {
    const Tensor batch = slice(set.inputs, 0, begin, std::min(rows, begin + kBatch));
    const Tensor logits = model(batch.to(model.device()));
    out.classes = logits.dim(1);
    for (const double p : softmax_rows(logits)) out.probabilities.push_back(p);
  }
  model.train(was_training);
  for (int64_t i = 0; i < set.images; ++i)
    out.divergence.push_back(view_divergence(out.of_image(i), set.views));
  return out;
}

double ViewPredictions::mean_divergence() const {
  return std::accumulate(divergence.begin(), divergence.end(), 0.0) /
         static_cast<double>(divergence.size());
}

double view_divergence(std::span<const double> probabilities, int64_t views) {
  check(views >= 1 && probabilities.size() % static_cast<size_t>(views) == 0, "[view_divergence]",
        probabilities.size(), "probabilities for", views, "views");
  const auto m = static_cast<size_t>(views), classes = probabilities.size() / m;
  double sum = 0;
  for (size_t k = 0; k < classes; ++k) {
    double mean = 0;
    for (size_t v = 0; v < m; ++v) mean += probabilities[v * classes + k] / static_cast<double>(m);
    if (mean <= 0) continue;
    for (size_t v = 0; v < m; ++v)
      sum += mean * std::log(mean / std::max(probabilities[v * classes + k], DBL_MIN));
  }
  return std::max(0.0, sum / static_cast<double>(m));
}

}  // namespace ditto::apps
