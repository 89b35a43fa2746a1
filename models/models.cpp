#include "models/models.h"

#include "models/mlp.h"
#include "models/resnet_cifar.h"

namespace ditto::models {

std::vector<std::string> model_names() {
  return {"resnet20", "resnet32", "resnet44", "resnet56", "resnet110", "resnet40", "mlp"};
}

std::unique_ptr<nn::Layer> make_model(const std::string& name, const ModelOptions& options,
                                      std::string* note) {
  const auto resnet = [&](int depth) {
    return std::make_unique<ResNetCifar>(ResNetCifarOptions{
        .depth = depth, .in_channels = options.in_channels, .num_classes = options.num_classes});
  };
  if (name == "resnet20") return resnet(20);
  if (name == "resnet32") return resnet(32);
  if (name == "resnet44") return resnet(44);
  if (name == "resnet56") return resnet(56);
  if (name == "resnet110") return resnet(110);
  if (name == "resnet40") {
    if (note)
      *note =
          "resnet40: a CIFAR ResNet has depth 6 n + 2; the paper's 0.66 M parameters are "
          "ResNet-44's, which is what is built";
    return resnet(44);
  }
  if (name == "mlp")
    return std::make_unique<Mlp>(
        std::vector<int64_t>{options.image_size * options.image_size * options.in_channels, 256,
                             128, options.num_classes});
  std::string known;
  for (const std::string& model : model_names()) known += (known.empty() ? "" : ", ") + model;
  fail("[models] unknown model '" + name + "'; known: " + known);
}

}  // namespace ditto::models
