// Weights files: a trained classifier with everything that using it takes. The tensors have
// PyTorch's names and order; the metadata names the model, the classes and the preprocessing, so
// that neither the training's options nor its data are needed again.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/serialize.h"
#include "data/dataset.h"
#include "models/models.h"
#include "nn/layer.h"

namespace ditto::apps {

struct WeightsInfo {
  std::string model, dataset;
  models::ModelOptions shape;
  // Empty in files that lack them (written elsewhere): the data set then has to say.
  std::vector<std::string> class_names;
  data::ChannelStatistics statistics;
  bool head_trained = true;  // false after pretraining: the features alone are of use
  std::vector<float> fill;   // colour of what is not image, one value in [0, 1] per channel

  // The class's name, or "class 7".
  std::string class_name(int64_t index) const;
};

struct TrainedModel {
  std::unique_ptr<models::Classifier> model;  // in evaluation mode
  WeightsInfo info;
};

// The metadata of a weights file.
Metadata weights_metadata(const std::string& model_name, const models::Classifier& model,
                          const data::ImageDataset& dataset, bool head_trained = true);

void save_weights(const std::filesystem::path& path, const models::Classifier& model,
                  const std::string& model_name, const data::ImageDataset& dataset,
                  bool head_trained = true);

// Builds the model that the metadata describes and loads its tensors. Throws Error with the path
// and the metadata's entry or the tensor when something is missing, malformed or does not fit.
TrainedModel load_weights(const std::filesystem::path& path);

}  // namespace ditto::apps
