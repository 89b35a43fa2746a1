#include "models/models.h"

#include <functional>

#include "models/densenet.h"
#include "models/mlp.h"
#include "models/resnet.h"
#include "models/resnet_cifar.h"

namespace ditto::models {
namespace {

using Make = std::function<std::unique_ptr<Classifier>(const ModelOptions&)>;

Make resnet_cifar(int depth, Shortcut shortcut = Shortcut::Pad) {
  return [=](const ModelOptions& o) {
    return std::make_unique<ResNetCifar>(ResNetCifarOptions{.depth = depth,
                                                            .in_channels = o.in_channels,
                                                            .num_classes = o.num_classes,
                                                            .head = o.head,
                                                            .shortcut = shortcut});
  };
}

Make resnet(int depth, Stem stem) {
  return [=](const ModelOptions& o) {
    return std::make_unique<ResNet>(ResNetOptions{.depth = depth,
                                                  .stem = stem,
                                                  .in_channels = o.in_channels,
                                                  .num_classes = o.num_classes,
                                                  .head = o.head});
  };
}

Make densenet(DenseNetOptions options) {
  return [options](const ModelOptions& o) mutable {
    options.in_channels = o.in_channels;
    options.num_classes = o.num_classes;
    options.head = o.head;
    return std::make_unique<DenseNet>(options);
  };
}

std::unique_ptr<Classifier> mlp(const ModelOptions& o) {
  check(o.num_classes > 0, "[models] mlp needs classes, got", o.num_classes);
  return std::make_unique<Mlp>(
      std::vector<int64_t>{o.image_size * o.image_size * o.in_channels, 256, 128, o.num_classes},
      o.dropout, o.head);
}

struct Entry {
  std::string name;
  Make make;
  std::string note = {};
};

const std::vector<Entry>& table() {
  static const std::vector<Entry> entries = [] {
    std::vector<Entry> all;
    const auto number = [](int n) { return std::to_string(n); };
    for (int depth : {20, 32, 38, 44, 56, 110})
      all.push_back({"resnet" + number(depth), resnet_cifar(depth)});
    all.push_back({"resnet40", resnet_cifar(44),
                   "resnet40: a CIFAR ResNet has depth 6 n + 2; the paper's 0.66 M parameters are "
                   "ResNet-44's, which is what is built"});
    for (int depth : {20, 32, 44, 56, 110})
      all.push_back({"resnet" + number(depth) + "-b", resnet_cifar(depth, Shortcut::Project)});
    for (int depth : {18, 34, 50, 101})
      all.push_back({"resnet" + number(depth), resnet(depth, Stem::Cifar)});
    for (int depth : {18, 34, 50, 101})
      all.push_back({"resnet" + number(depth) + "-imagenet", resnet(depth, Stem::ImageNet)});
    all.push_back({"densenet40", densenet({})});
    all.push_back(
        {"densenet-bc-100",
         densenet({.depth = 100, .bottleneck = true, .compression = 0.5, .init_channels = 24})});
    all.push_back({"mlp", mlp});
    return all;
  }();
  return entries;
}

}  // namespace

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const Entry& entry : table()) names.push_back(entry.name);
  return names;
}

std::unique_ptr<Classifier> make_model(const std::string& name, const ModelOptions& options,
                                       std::string* note) {
  std::string known;
  for (const Entry& entry : table()) {
    if (entry.name == name) {
      check(options.dropout == 0 || name == "mlp", "[models] no dropout in", name,
            "; the mlp alone has it");
      if (note && !entry.note.empty()) *note = entry.note;
      return entry.make(options);
    }
    known += (known.empty() ? "" : ", ") + entry.name;
  }
  fail("[models] unknown model '" + name + "'; known: " + known);
}

}  // namespace ditto::models
