// ditto's side of the ResNet-20 parity check: the model and batch of resnet20_parity.json from
// their integer hashes, gradients of one step in PyTorch's order, and losses of a short training.
// Used by resnet20_dump.cpp (for resnet20_parity.py) and tests/models/resnet_parity_test.cpp.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "losses/cross_entropy.h"
#include "models/models.h"
#include "nn/optim/sgd.h"
#include "nn/state_dict.h"
#include "tests/reference/digest.h"

namespace ditto::testing {

class Resnet20Run {
 public:
  explicit Resnet20Run(const nlohmann::json& setup, Dtype dtype = Dtype::F32)
      : setup_(setup), model_(models::make_model("resnet20", {})) {
    std::vector<nn::StateEntry> entries;
    for (const auto& p : setup["parameters"]) {
      const Shape shape = shape_of(p["shape"]);
      entries.push_back(
          {p["name"],
           Tensor::from(hash_values(p["seed"], shape.numel(), p["low"], p["high"]), shape)});
    }
    // Everything but the buffers, which keep their first values, must be given.
    const nn::LoadReport report = nn::load_state_dict(*model_, entries, false);
    check(report.unexpected.empty() && report.mismatched.empty() &&
              report.missing.size() == model_->named_buffers().size(),
          "[resnet20_parity] the model's parameters are not those of the reference");
    model_->to(dtype);
    const auto& batch = setup["batch"];
    const int64_t n = batch["size"];
    images_ =
        Tensor::from(hash_values(batch["image_seed"], n * 32 * 32 * 3), {n, 32, 32, 3}, dtype);
    labels_ = Tensor::from(hash_labels(batch["label_seed"], n, 10), {n});
  }

  // Forward and backward; returns the loss.
  double forward_backward() {
    model_->zero_grad();
    const Tensor loss = losses::cross_entropy(model_->forward(images_), labels_);
    loss.backward();
    return loss.item();
  }

  // Gradients of all parameters, in PyTorch's names, order and layout.
  std::vector<nn::StateEntry> gradients() const {
    std::vector<nn::StateEntry> out;
    for (const nn::NamedParameter& p : model_->named_parameters())
      out.push_back({p.name, nn::to_file_layout(p.tensor.grad(), p.layout, p.file_grid)});
    return out;
  }
  std::vector<nn::NamedParameter> buffers() const { return model_->named_buffers(); }

  // Losses of `steps` SGD steps on the one batch, each taken before its update.
  std::vector<double> train(int steps, double rate) {
    const auto& sgd = setup_["sgd"];
    nn::Sgd optimizer(nn::parameter_groups(*model_, sgd["weight_decay"]),
                      {.lr = rate, .momentum = sgd["momentum"]});
    std::vector<double> losses;
    for (int step = 0; step < steps; ++step) {
      losses.push_back(forward_backward());
      optimizer.step();
    }
    return losses;
  }

 private:
  nlohmann::json setup_;
  std::unique_ptr<nn::Layer> model_;
  Tensor images_, labels_;
};

}  // namespace ditto::testing
