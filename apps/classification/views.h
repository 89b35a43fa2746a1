// Augmented views of images: as the network sees them, as pictures, and how much a network's
// predictions differ between them (figure 3 of paper 000).
#pragma once

#include <span>
#include <vector>

#include "apps/classification/train_options.h"
#include "data/dataset.h"
#include "nn/layer.h"

namespace ditto::apps {

struct ViewSet {
  int64_t images = 0, views = 0;
  Tensor inputs;    // (images * views, H, W, C) f32, grouped by image, as the network takes them
  Tensor pictures;  // the same without the normalisation, u8
};

// `views` draws of the training's augmentation for each of the first `count` images.
ViewSet augmented_views(const TrainOptions& options, const data::ImageDataset& dataset,
                        int64_t count, int64_t views);

// The first `count` images as the network sees them in evaluation, without the normalisation, u8.
Tensor plain_pictures(const data::ImageDataset& dataset, int64_t count);

// What a network makes of them.
struct ViewPredictions {
  int64_t views = 0, classes = 0;
  std::vector<double> probabilities;  // (images, views, classes)
  std::vector<double> divergence;     // per image, see view_divergence

  std::span<const double> of_image(int64_t image) const {
    const auto size = static_cast<size_t>(views * classes);
    return std::span(probabilities).subspan(static_cast<size_t>(image) * size, size);
  }
  double mean_divergence() const;
};
ViewPredictions predict_views(nn::Layer& model, const ViewSet& set);

// The mean over views of KL(pbar || p_i) with pbar the views' mean prediction, in nats: the term
// that LossTransform adds (paper 000, equation 7), 0 when all views get the same prediction.
// `probabilities` is (views, classes).
double view_divergence(std::span<const double> probabilities, int64_t views);

}  // namespace ditto::apps
