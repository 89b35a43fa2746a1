#include "apps/classification/weights.h"

#include <algorithm>
#include <cmath>

#include "apps/common/json.h"
#include "apps/common/text.h"
#include "core/serialize.h"
#include "nn/state_dict.h"

namespace ditto::apps {
namespace {

// Metadata comes with the file and may say anything.
class MetadataReader {
 public:
  MetadataReader(const Metadata& metadata, std::string path)
      : metadata_(metadata), path_(std::move(path)) {}

  bool has(const std::string& key) const { return metadata_.count(key) > 0; }
  const std::string& text(const std::string& key) const {
    const auto found = metadata_.find(key);
    check(found != metadata_.end(), "[load_weights] the file's metadata has no entry", key, ":",
          path_);
    return found->second;
  }
  int64_t size(const std::string& key) const {
    const std::string& value = text(key);
    const bool digits = !value.empty() && value.size() < 7 &&
                        value.find_first_not_of("0123456789") == std::string::npos;
    check(digits && std::stoll(value) > 0, "[load_weights] metadata", key,
          "is not a size:", printable(value), "in", path_);
    return std::stoll(value);
  }
  // Above 0.
  double number(const std::string& key) const {
    const Json json = parse_json(text(key), path_ + ": metadata " + key);
    check(json.is_number() && std::isfinite(json.get<double>()) && json.get<double>() > 0,
          "[load_weights] metadata", key, "is not a positive number:", printable(text(key)), "in",
          path_);
    return json.get<double>();
  }
  // A JSON array; absent is empty.
  template <class T>
  std::vector<T> list(const std::string& key, int64_t length) const {
    std::vector<T> out;
    if (!has(key)) return out;
    const Json json = parse_json(text(key), path_ + ": metadata " + key);
    const auto fits = [](const Json& item) {
      return std::is_same_v<T, std::string> ? item.is_string() : item.is_number();
    };
    check(json.is_array() && static_cast<int64_t>(json.size()) == length &&
              std::all_of(json.begin(), json.end(), fits),
          "[load_weights] metadata", key, "is not a list of", length, "values in", path_);
    for (const Json& item : json) out.push_back(item.get<T>());
    return out;
  }

 private:
  const Metadata& metadata_;
  std::string path_;
};

}  // namespace

std::string WeightsInfo::class_name(int64_t index) const {
  const auto i = static_cast<size_t>(index);
  return i < class_names.size() ? class_names[i] : "class " + std::to_string(index);
}

Metadata weights_metadata(const std::string& model_name, const models::Classifier& model,
                          const data::ImageDataset& dataset, bool head_trained) {
  const kernels::ChannelValues fill = dataset.info(dataset.height(), dataset.width()).fill;
  Metadata metadata = {
      {"format", "pt"},
      {"model", model_name},
      {"dataset", dataset.name()},
      {"image_size", std::to_string(dataset.height())},
      {"in_channels", std::to_string(dataset.channels())},
      {"num_classes", std::to_string(dataset.classes())},
      {"head", head_trained ? "trained" : "untrained"},
      {"class_names", json_line(dataset.class_names())},
      {"mean", json_line(dataset.statistics().mean)},
      {"std", json_line(dataset.statistics().std)},
      {"fill", json_line(std::vector<float>(fill.begin(), fill.begin() + dataset.channels()))}};
  const nn::HeadOptions& head = model.head_options();
  if (!head.bias) metadata["head_bias"] = "none";
  if (head.cosine_scale > 0) metadata["head_cosine_scale"] = json_line(head.cosine_scale);
  return metadata;
}

void save_weights(const std::filesystem::path& path, const models::Classifier& model,
                  const std::string& model_name, const data::ImageDataset& dataset,
                  bool head_trained) {
  TensorMap tensors;
  for (const nn::StateEntry& entry : nn::state_dict(model)) tensors[entry.name] = entry.tensor;
  save_safetensors(path, tensors, weights_metadata(model_name, model, dataset, head_trained));
}

TrainedModel load_weights(const std::filesystem::path& path) {
  const SafetensorsFile file = load_safetensors(path);
  const MetadataReader metadata(file.metadata, path.string());
  TrainedModel out;
  WeightsInfo& info = out.info;
  info.model = metadata.text("model");
  info.dataset = metadata.text("dataset");
  info.shape = {.image_size = metadata.size("image_size"),
                .in_channels = metadata.size("in_channels"),
                .num_classes = metadata.size("num_classes")};
  info.shape.head.bias = !metadata.has("head_bias");
  if (metadata.has("head_cosine_scale"))
    info.shape.head.cosine_scale = metadata.number("head_cosine_scale");
  info.head_trained = !metadata.has("head") || metadata.text("head") != "untrained";
  info.class_names = metadata.list<std::string>("class_names", info.shape.num_classes);
  for (const std::string& name : info.class_names)
    check(is_utf8(name) && std::none_of(name.begin(), name.end(),
                                        [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; }),
          "[load_weights] metadata class_names has control characters in", path.string());
  info.statistics.mean = metadata.list<float>("mean", info.shape.in_channels);
  info.statistics.std = metadata.list<float>("std", info.shape.in_channels);
  info.fill = metadata.list<float>("fill", info.shape.in_channels);
  for (float v : info.fill)
    check(std::isfinite(v), "[load_weights] metadata fill is not finite in", path.string());
  for (float v : info.statistics.mean)
    check(std::isfinite(v), "[load_weights] metadata mean is not finite in", path.string());
  for (float v : info.statistics.std)
    check(std::isfinite(v) && v > 0, "[load_weights] metadata std is not positive in",
          path.string());
  out.model = models::make_model(info.model, info.shape);
  std::vector<nn::StateEntry> entries;
  for (const auto& [name, tensor] : file.tensors) entries.push_back({name, tensor});
  nn::load_state_dict(*out.model, entries);
  out.model->eval();
  return out;
}

}  // namespace ditto::apps
