// The parts of trainer.h that touch files and pictures.
#include "apps/classification/trainer.h"
#include "apps/common/text.h"
#include "core/serialize.h"
#include "models/models.h"
#include "nn/state_dict.h"

namespace ditto::apps {

DataPair load_data(const DataOptions& options) {
  std::string name = options.dataset;
  // A --data-root is looked at for CIFAR-10 first; without one, DITTO_DATA is.
  if (name == "auto")
    name = data::locate("cifar-10", options.data_root) ? "cifar-10" : "fashion-mnist";
  const data::LoadOptions load{.root = options.data_root, .strict = options.strict_data};
  DataPair pair{data::load(name, data::Split::Train, load),
                data::load(name, data::Split::Test, load)};
  if (options.train_images > 0) pair.train = pair.train.take(options.train_images, 0);
  if (options.test_images > 0) pair.test = pair.test.take(options.test_images, 0);
  release_cached_memory();  // the whole set that a subset was taken from
  return pair;
}

void save_weights(const std::filesystem::path& path, const nn::Module& model,
                  const std::string& model_name, const data::ImageDataset& dataset) {
  TensorMap tensors;
  for (const nn::StateEntry& entry : nn::state_dict(model)) tensors[entry.name] = entry.tensor;
  save_safetensors(path, tensors,
                   {{"format", "pt"},
                    {"model", model_name},
                    {"dataset", dataset.name()},
                    {"image_size", std::to_string(dataset.height())},
                    {"in_channels", std::to_string(dataset.channels())},
                    {"num_classes", std::to_string(dataset.classes())}});
}

std::unique_ptr<nn::Layer> load_weights(const std::filesystem::path& path,
                                        std::string* dataset_name) {
  const SafetensorsFile file = load_safetensors(path);
  const auto text = [&](const std::string& key) {
    const auto found = file.metadata.find(key);
    check(found != file.metadata.end(), "[load_weights] the file's metadata has no entry", key, ":",
          path.string());
    return found->second;
  };
  const auto number = [&](const std::string& key) {
    const std::string value = text(key);
    const bool digits = !value.empty() && value.size() < 7 &&
                        value.find_first_not_of("0123456789") == std::string::npos;
    check(digits && std::stoll(value) > 0, "[load_weights] metadata", key, "is not a size:", value);
    return static_cast<int64_t>(std::stoll(value));
  };
  auto model = models::make_model(text("model"), {.image_size = number("image_size"),
                                                  .in_channels = number("in_channels"),
                                                  .num_classes = number("num_classes")});
  std::vector<nn::StateEntry> entries;
  for (const auto& [name, tensor] : file.tensors) entries.push_back({name, tensor});
  nn::load_state_dict(*model, entries);
  if (dataset_name) *dataset_name = text("dataset");
  return model;
}

Tensor replica_pictures(const TrainOptions& options, const data::ImageDataset& dataset,
                        int64_t count, int replicas) {
  const auto augment = data::make_augment(augment_options(options), dataset.statistics());
  const data::ChannelStatistics& statistics = dataset.statistics();
  const int64_t h = dataset.height(), w = dataset.width(), c = dataset.channels();
  Tensor pictures = Tensor::empty({count * replicas, h, w, c}, Dtype::U8);
  uint8_t* to = pictures.data<uint8_t>();
  for (int64_t i = 0; i < count; ++i) {
    const Tensor image = Tensor::from(dataset.get(i).pixels, {h, w, c});
    for (int r = 0; r < replicas; ++r) {
      Rng rng(static_cast<uint64_t>(options.seed), Purpose::Augment, static_cast<uint64_t>(i), 0,
              static_cast<uint64_t>(r));
      const auto values = augment->draw(rng, dataset.info()).apply(image).to_vector<float>();
      for (size_t k = 0; k < values.size(); ++k) {
        const size_t channel = k % static_cast<size_t>(c);
        const float v = values[k] * statistics.std[channel] + statistics.mean[channel];
        *to++ = static_cast<uint8_t>(std::clamp(v * 255.0f + 0.5f, 0.0f, 255.0f));
      }
    }
  }
  return pictures;
}

}  // namespace ditto::apps
