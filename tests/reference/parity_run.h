// ditto's side of the comparisons with PyTorch models: the model and batch of a setup file
// (tests/reference/*_parity.json) from their integer hashes, logits, gradients of one step in
// PyTorch's order, and losses of a short training. Used by parity_dump.cpp (for step_parity.py and
// torchvision_parity.py) and tests/models/parity_test.cpp.
#pragma once

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "autograd/grad_mode.h"
#include "losses/cross_entropy.h"
#include "models/models.h"
#include "nn/optim/sgd.h"
#include "nn/state_dict.h"
#include "tests/reference/digest.h"

namespace ditto::testing {

class ParityRun {
 public:
  explicit ParityRun(const nlohmann::json& setup, Dtype dtype = Dtype::F32)
      : setup_(setup),
        model_(models::make_model(setup["model"], {.num_classes = setup["classes"]})) {
    std::vector<nn::StateEntry> entries;
    for (const auto& p : setup["parameters"]) {
      const Shape shape = shape_of(p["shape"]);
      entries.push_back(
          {p["name"],
           Tensor::from(hash_values(p["seed"], shape.numel(), p["low"], p["high"]), shape)});
    }
    // Everything but the buffers, which may keep their first values, must be given.
    const nn::LoadReport report = nn::load_state_dict(*model_, entries, false);
    const std::vector<nn::NamedParameter> buffers = model_->named_buffers();
    const bool only_buffers =
        std::all_of(report.missing.begin(), report.missing.end(), [&](const std::string& name) {
          return std::any_of(buffers.begin(), buffers.end(),
                             [&](const nn::NamedParameter& b) { return b.name == name; });
        });
    check(report.unexpected.empty() && report.mismatched.empty() && only_buffers,
          "[parity] the model's tensors are not those of the reference:",
          setup["model"].get<std::string>());
    model_->to(dtype);
    const auto& batch = setup["batch"];
    const int64_t n = batch["size"], side = batch["image"];
    const Shape shape{n, side, side, 3};
    images_ = Tensor::from(hash_values(batch["image_seed"], shape.numel()), shape, dtype);
    labels_ = Tensor::from(hash_labels(batch["label_seed"], n, setup["classes"]), {n});
  }

  nn::Layer& model() { return *model_; }

  // The evaluated model's output.
  Tensor logits() {
    NoGrad guard;
    model_->eval();
    return model_->forward(images_);
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
